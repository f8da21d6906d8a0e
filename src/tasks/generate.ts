import { UserError } from '../base/user-error';
import { answerSentence } from './answer';
import { fourNeedles } from './four-needles';
import { fillWithHay, haySentences } from './hay';
import { keyValue } from './key-value';
import { placeNeedles } from './places';
import { makePrompt } from './prompt';
import { createRandom } from './random';
import { singleNeedle } from './single-needle';
import { stars } from './stars';
import type { Needle, TaskDraft, TaskInstance, TaskKind, TaskRequest } from './task';

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
  const { length: around } = makePrompt({
    ...{ tokenizer, chat: request.chat ?? null, context: [], question: draft.question },
    answer: answerSentence(draft.answer ?? draft.needles.map((needle) => needle.value)),
  }).ids;
  const needleTokens = draft.needles.reduce((sum, needle) => sum + count(` ${needle.sentence}`), 0);
  let room = tokens - needleTokens - around;
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
    const instance = assemble(request, draft, weave(filling.sentences, draft, places));
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

function assemble(
  { tokenizer, task, seed, tokens, depth, chat = null }: TaskRequest,
  draft: TaskDraft,
  body: Piece[],
): TaskInstance {
  const inText = body.flatMap(({ needle }) => (needle ? [needle] : []));
  const prompt = makePrompt({
    ...{ tokenizer, chat, question: draft.question },
    context: body.map((piece) => piece.text),
    answer: answerSentence(draft.answer ?? inText.map((needle) => needle.value)),
  });
  const { starts } = prompt;
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
    ...{ task, seed, tokens, depth, needles },
    text: prompt.text,
    promptText: prompt.promptText,
    answerText: prompt.answerText!,
    questionStart: prompt.questionStart!,
    answerStart: prompt.answerStart!,
    ids: prompt.ids,
  };
}
