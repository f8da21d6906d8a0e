import { UserError } from '../base/user-error';
import { answerText, questionText } from './answer';
import { fourNeedles } from './four-needles';
import { fillWithHay, haySentences } from './hay';
import { keyValue } from './key-value';
import { placeNeedles } from './places';
import { createRandom } from './random';
import { singleNeedle } from './single-needle';
import { stars } from './stars';
import type { Needle, TaskDraft, TaskInstance, TaskKind, TaskRequest, TaskTokenizer } from './task';

/** Every kind of task, in the order in which the page offers them. */
export const taskList: readonly TaskKind[] = [singleNeedle, fourNeedles, keyValue, stars];

/** A piece of the text, with the needle it carries if it does. */
interface Piece {
  text: string;
  needle: TaskDraft['needles'][number] | null;
}

/**
 * Makes a text with a known answer: needles woven into hay at sentence ends, then a question, then the answer. The same
 * request gives the same instance.
 *
 * @throws UserError for an unknown task, a length too short for it, a depth outside 0 … 1, or hay without a sentence
 */
export function generateTask(request: TaskRequest): TaskInstance {
  const kind = checkRequest(request);
  const { tokenizer, tokens, depth, hay, seed } = request;
  const random = createRandom(seed);
  const draft = kind.draft(random, tokens);
  const count = (text: string): number => tokenizer.encode(text).length;

  // The order of the needles in the text decides some answers, but not how long they are.
  const question = questionText(draft.question);
  const anyOrder = answerText(draft.answer ?? draft.needles.map((needle) => needle.value));
  const needleTokens = draft.needles.reduce((sum, needle) => sum + count(` ${needle.sentence}`), 0);
  let room = tokens - tokenizer.startIds.length - needleTokens - count(question) - count(anyOrder);
  const seedOfHay = random.below(2 ** 32);

  for (;;) {
    const filling = fillWithHay(hay, room, createRandom(seedOfHay), tokenizer);
    if (filling.sentences.length === 0) throw new UserError(tooShort(kind, tokens));
    const places = placeNeedles(
      draft.needles.map((needle) => needle.asked),
      depth,
      filling.tokenCounts,
      createRandom(seedOfHay ^ 1),
    );
    const instance = assemble(request, draft, question, weave(filling.sentences, draft, places));
    if (instance.ids.length <= tokens) return instance;
    // Only where a tokenizer joins across sentence ends: the parts then do not add up to the whole.
    room -= instance.ids.length - tokens;
  }
}

function checkRequest({ task, tokens, seed, depth, hay }: TaskRequest): TaskKind {
  const kind = taskList.find((candidate) => candidate.id === task);
  if (!kind) {
    const known = taskList.map((candidate) => candidate.id).join(', ');
    throw new UserError(`There is no task "${task}"; choose one of ${known}.`);
  }
  if (!Number.isInteger(tokens) || tokens < kind.smallestTokens) {
    throw new UserError(tooShort(kind, tokens));
  }
  if (!Number.isInteger(seed) || Math.abs(seed) > 2 ** 32) {
    throw new UserError(`The seed ${seed} is not a whole number of at most 32 bits; choose one such as 1.`);
  }
  if (depth !== 'spread' && !(depth >= 0 && depth <= 1)) {
    throw new UserError(`The needle depth ${depth} is not between 0 and 1; choose one there, or "spread".`);
  }
  if (haySentences(hay).length === 0) {
    throw new UserError('There is no prose to hide the needles in; give a text with at least one sentence.');
  }
  return kind;
}

function tooShort(kind: TaskKind, tokens: number): string {
  return `${tokens} tokens are too few for the task "${kind.id}"; ask for at least ${kind.smallestTokens}, and more if the sentences of your text are long.`;
}

/** The text before the question, in pieces that begin where a new word begins. */
function weave(sentences: readonly string[], draft: TaskDraft, places: readonly number[]): Piece[] {
  const after = new Map<number, TaskDraft['needles']>();
  draft.needles.forEach((needle, index) => {
    const place = places[index]!;
    after.set(place, [...(after.get(place) ?? []), needle]);
  });
  return sentences.flatMap((sentence, index) => [
    { text: index === 0 ? sentence : ` ${sentence}`, needle: null },
    ...(after.get(index + 1) ?? []).map((needle) => ({ text: ` ${needle.sentence}`, needle })),
  ]);
}

function assemble(request: TaskRequest, draft: TaskDraft, question: string, body: Piece[]): TaskInstance {
  const { tokenizer, task, seed, tokens, depth } = request;
  const inText = body.flatMap(({ needle }) => (needle ? [needle] : []));
  const answer = answerText(draft.answer ?? inText.map((needle) => needle.value));
  const promptText = body.map((piece) => piece.text).join('') + question;
  const text = promptText + answer;

  const begin = tokenizer.startIds;
  const encoded = tokenizer.encode(text);
  const starts = tokenStarts(tokenizer, text, encoded, [
    ...body.map((piece) => piece.text),
    question,
    answer,
  ]).map((start) => start + begin.length);

  const needles: Needle[] = body.flatMap(({ needle }, index) =>
    needle
      ? [
          {
            start: starts[index]!,
            end: starts[index + 1]!,
            label: needle.label,
            value: needle.value,
            asked: needle.asked,
          },
        ]
      : [],
  );
  return {
    task,
    seed,
    tokens,
    depth,
    text,
    promptText,
    answerText: answer,
    questionStart: starts[body.length]!,
    answerStart: starts[body.length + 1]!,
    ids: [...begin, ...encoded],
    needles,
  };
}

/**
 * The token at which each piece of the text begins. Where encoding the pieces one by one gives the ids of the whole
 * (with the bundled tokenizer it does: its words never cross a space), the lengths add up; otherwise the length of the
 * encoded text before each piece says it, which takes one encoding a piece.
 */
function tokenStarts(
  tokenizer: TaskTokenizer,
  text: string,
  encoded: readonly number[],
  pieces: readonly string[],
): number[] {
  const starts: number[] = [];
  let joined = 0;
  let agrees = true;
  for (const piece of pieces) {
    const ids = tokenizer.encode(piece);
    starts.push(joined);
    agrees &&= ids.every((id, i) => id === encoded[joined + i]);
    joined += ids.length;
  }
  if (agrees && joined === encoded.length) return starts;

  let characters = 0;
  return pieces.map((piece) => {
    const start = tokenizer.encode(text.slice(0, characters)).length;
    characters += piece.length;
    return start;
  });
}
