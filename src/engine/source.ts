/** From what a study asks for to token ids and the facts that the page shows about the text. */

import { UserError } from '../base/user-error';
import type { StudyPlaces } from '../methods/method';
import type { ModelConfig } from '../model/architectures/config';
import { checkedIds } from '../model/tokenizer/token-ids';
import type { StartToken, Tokenizer } from '../model/tokenizer/tokenizer';
import type { SavedText, TextFacts } from '../study/facts';
import { LONGEST_ANSWER_TOKENS, LONGEST_TEXT_TOKENS } from '../study/limits';
import type { QueriesStart, SourceSpec, StudySpec } from '../study/spec';
import { containsAnswer, hasEndedLine, isAnswerComplete, isAnswerRight } from '../tasks/answer';
import { generateTask } from '../tasks/generate';
import { makePrompt } from '../tasks/prompt';
import type { Chat, TaskId, TaskInstance } from '../tasks/task';
import type { SampleText } from './environment';
import { lengthNotices } from './notices';

export interface StudyText {
  readonly ids: Uint32Array;
  readonly facts: TextFacts;
  /** True answer with its leading space; null without a task. */
  readonly answerText: string | null;
  /** Whether both runs go on writing after it: a text of one's own, which asks nothing that could be checked. */
  readonly isContinued: boolean;
  /** Where it is evicted from and answered if its queries begin there. Throws UserError where it has no such token. */
  placesAt(queriesStart: QueriesStart): StudyPlaces;
  /** Whether a generated answer needs no further token. */
  isAnswerComplete(generated: readonly number[]): boolean;
  /** The text of each of these tokens; joined, they are what the tokens say. */
  textsOf(ids: ArrayLike<number>): string[];
  /** Text of a generated answer, and whether it is right. */
  judge(generated: readonly number[]): { readonly text: string; readonly right: boolean };
}

export interface TextOptions {
  /** The model's chat template; null, as by default: the text is read as it is. */
  readonly chat?: Chat | null;
  /** Of a text of one's own; by default what the page takes. */
  readonly mostTokens?: number;
}

/**
 * Builds the text of a study; `chat` makes it a user's message. Throws UserError: empty or too long text, unknown sample, a task that does not fit, a character
 * that no token spells, tokens that the model does not have.
 */
export function buildText(
  spec: Pick<StudySpec, 'source' | 'queriesStart' | 'startToken'>,
  tokenizer: Tokenizer,
  config: Pick<ModelConfig, 'trainedTokens' | 'vocabularySize'>,
  samples: readonly SampleText[],
  { chat = null, mostTokens = LONGEST_TEXT_TOKENS }: TextOptions = {},
): StudyText {
  // A template writes the tokens that a text begins with.
  const startToken = chat ? false : spec.startToken;
  const reading = { tokenizer, startToken, samples, chat, mostTokens };
  const made = spec.source.kind === 'task' ? fromTask(spec.source, reading) : fromProse(spec.source, reading);
  const ids = checkedIds(made.ids, config);
  const { evictAt, answerStart } = placesOf(made, spec.queriesStart);
  const notices = [...made.notices, ...lengthNotices(ids.length, config.trainedTokens)];
  let tokenTexts: readonly string[] | null = null;
  let saved: SavedText | null = null;
  return {
    ids,
    answerText: made.answerText,
    placesAt: (queriesStart) => placesOf(made, queriesStart),
    isContinued: spec.source.kind === 'text' && answerStart === null,
    facts: {
      tokens: ids.length,
      // Only the page needs them, for long texts they take a while, and every run of a study sends them.
      get tokenTexts() {
        tokenTexts ??= tokenizer.tokenTexts(Array.from(ids));
        return tokenTexts;
      },
      get partNames() {
        return partNames(this.tokenTexts, ids, tokenizer);
      },
      get saved() {
        saved ??= savedText(tokenizer, startToken, made);
        return saved;
      },
      queries: { start: evictAt, end: ids.length },
      answerStart,
      needles: made.needles,
      notices,
    },
    textsOf: (some) => tokenizer.tokenTexts(Array.from(some)),
    isAnswerComplete: (generated) => made.scoring?.isComplete(tokenizer.decode([...generated])) ?? false,
    judge(generated) {
      const text = tokenizer.decode([...generated]);
      return {
        text,
        right: made.scoring?.isRight(text) ?? false,
      };
    },
  };
}

/**
 * Methods that evict once do so where the queries begin. After a task's question that is behind the token that its answer's value
 * starts behind, while the answer begins where the prompt ends, whatever stands there first.
 */
function placesOf(
  { ids, questionStart, answerStart, valueStart }: MadeText,
  asked: QueriesStart,
): StudyPlaces {
  const chosen = asked === 'answer' ? valueStart : asked;
  const lastEighth = ids.length - Math.ceil(ids.length / 8);
  // A query at least has the answer's first token to write.
  const evictAt = chosen ?? questionStart ?? Math.min(lastEighth, (answerStart ?? ids.length) - 1);
  if (!Number.isInteger(evictAt) || evictAt < 0 || evictAt >= ids.length) {
    throw new UserError(`queries must start at a token from 0 to ${ids.length - 1}, not at ${evictAt}.`);
  }
  return { evictAt, answerStart };
}

interface MadeText {
  readonly ids: readonly number[];
  /** The text that these are the ids of; null for a part of a longer one, cut between tokens. */
  readonly text: string | null;
  readonly questionStart: number | null;
  readonly answerStart: number | null;
  /** First token of the answer that is not white space alone. */
  readonly valueStart: number | null;
  readonly answerText: string | null;
  /** Null: no answer is known. */
  readonly scoring: Scoring | null;
  readonly needles: TextFacts['needles'];
  readonly notices: readonly string[];
}

/** What a generated answer is held against. */
interface Scoring {
  isRight(generatedText: string): boolean;
  /** Whether nothing written later belongs to the answer. */
  isComplete(generatedText: string): boolean;
}

/** How a text becomes tokens. */
interface Reading {
  readonly tokenizer: Tokenizer;
  readonly startToken: StartToken;
  readonly samples: readonly SampleText[];
  readonly chat: Chat | null;
  readonly mostTokens: number;
}

function fromTask(
  source: Extract<SourceSpec, { kind: 'task' }>,
  { tokenizer, startToken, samples, chat }: Reading,
): MadeText {
  if (source.tokens > LONGEST_TEXT_TOKENS) {
    throw new UserError(
      `A task of ${source.tokens} tokens is too long; choose at most ${LONGEST_TEXT_TOKENS}.`,
    );
  }
  const task = generateTask({
    task: source.task as TaskId,
    tokens: source.tokens,
    seed: source.seed,
    depth: source.depth,
    hay: samples.map((sample) => sample.text),
    tokenizer: { encode: tokenizer.encode, startIds: tokenizer.start(startToken) },
    chat,
  });
  return {
    ids: task.ids,
    text: task.text,
    questionStart: task.questionStart,
    answerStart: task.answerStart,
    valueStart: valueStart(task, tokenizer),
    answerText: task.answerText,
    scoring: { isRight: (text) => isAnswerRight(text, task), isComplete: isAnswerComplete },
    needles: task.needles,
    notices: [],
  };
}

/**
 * Where the answer's value starts. White space that is a token of its own says nothing of the answer, and a model writes it
 * without looking for one: a query that had read no further would not know what is needed.
 */
function valueStart(
  { ids, answerStart }: Pick<TaskInstance, 'ids' | 'answerStart'>,
  tokenizer: Tokenizer,
): number {
  const texts = tokenizer.tokenTexts(ids.slice(answerStart));
  return (
    answerStart +
    Math.max(
      0,
      texts.findIndex((text) => text.trim() !== ''),
    )
  );
}

const UNASKED = {
  ...{ questionStart: null, answerStart: null, valueStart: null, answerText: null, scoring: null },
  ...{ needles: [], notices: [] },
};

function fromProse(source: Extract<SourceSpec, { kind: 'sample' | 'text' }>, reading: Reading): MadeText {
  const { tokenizer, startToken, samples, chat } = reading;
  if (source.kind === 'text') {
    const { text, question, expected } = source;
    if (text.trim() === '') throw new UserError('The text is empty; type or paste some words.');
    const isAsked = question !== undefined || expected !== undefined;
    const made = isAsked || chat ? fromPrompt(source, reading) : null;
    const ids = made?.ids ?? tokenizer.encodeText(text, startToken);
    if (ids.length > reading.mostTokens)
      throw new UserError(`The text has ${ids.length} tokens; use at most ${reading.mostTokens}.`);
    return made ?? { ids, text, ...UNASKED };
  }
  const sample = samples.find((candidate) => candidate.id === source.sample);
  if (!sample) {
    throw new UserError(
      `There is no sample text "${source.sample}"; choose one of ${samples.map((candidate) => candidate.id).join(', ')}.`,
    );
  }
  const limit = source.tokens ?? LONGEST_TEXT_TOKENS;
  if (!(limit >= 1)) throw new UserError(`Of a sample text, read at least 1 of its tokens, not ${limit}.`);
  const { text } = sample;
  if (chat) return cutMessage(chat.frame(text), limit, tokenizer);
  const all = tokenizer.encodeText(text, startToken);
  return { ids: all.slice(0, limit), text: all.length <= limit ? text : null, ...UNASKED };
}

/** A message of so many tokens with all that stands around it: it ends earlier, the rest stays. */
function cutMessage(
  { before, message, after }: ReturnType<Chat['frame']>,
  limit: number,
  tokenizer: Tokenizer,
): MadeText {
  const text = before + message + after;
  const ids = tokenizer.encode(text);
  if (ids.length <= limit) return { ids, text, ...UNASKED };
  const [start, end] = [tokenizer.encode(before + message), tokenizer.encode(after)];
  const room = limit - end.length;
  if (room <= tokenizer.encode(before).length) {
    throw new UserError(
      `The chat template takes ${ids.length - tokenizer.encode(message).length} tokens, which leaves none of ${limit} for the text; read more tokens.`,
    );
  }
  return { ids: [...start.slice(0, room), ...end], text: null, ...UNASKED };
}

/** A text of one's own that asks something, or is a message. */
function fromPrompt(
  { text, question: asked, expected = [] }: Extract<SourceSpec, { kind: 'text' }>,
  { tokenizer, startToken, chat }: Reading,
): MadeText {
  const question = asked?.trim() ?? null;
  if (question === '') throw new UserError('The question is empty; ask something, or leave it out.');
  if (expected.some((answer) => answer.trim() === ''))
    throw new UserError('An expected answer is empty; give some words, or leave it out.');
  const accepted = expected.map((answer) => answer.trim());
  const prompt = makePrompt({
    tokenizer: { encode: tokenizer.encode, startIds: tokenizer.start(startToken) },
    ...{ chat, context: [text], question, answer: accepted[0] ?? null },
  });
  const { ids, answerStart, questionStart, answerText } = prompt;
  if (answerStart === null || answerText === null)
    return { ...UNASKED, ids, text: prompt.text, questionStart };
  if (ids.length - answerStart > LONGEST_ANSWER_TOKENS) {
    throw new UserError(
      `The expected answer has ${ids.length - answerStart} tokens and at most ${LONGEST_ANSWER_TOKENS} are written; expect the words that matter.`,
    );
  }
  return {
    ...{ ids, text: prompt.text, questionStart, answerStart, answerText, needles: [], notices: [] },
    valueStart: valueStart({ ids, answerStart }, tokenizer),
    scoring: {
      isRight: (generated) => containsAnswer(generated, accepted),
      // In a chat the end of the turn ends an answer, otherwise that of its line.
      isComplete: (generated) => chat === null && hasEndedLine(generated),
    },
  };
}

/**
 * A text that the command line makes the same ids of, checked by doing so; the ids where there is none: some tokenizers put a
 * blank before every text, and one that was cut between tokens need not fall apart in the same way.
 */
function savedText(tokenizer: Tokenizer, startToken: StartToken, { ids, text }: MadeText): SavedText {
  const joined = (): string => tokenizer.tokenTexts(ids.slice(tokenizer.start(startToken).length)).join('');
  const candidates = text !== null ? [text] : [joined(), joined().replace(/^ /, '')];
  const same = candidates.find((candidate) => {
    // A byte order mark at the beginning of a file is not read as text.
    if (candidate.startsWith('\ufeff')) return false;
    const again = tokenizer.encodeText(candidate, startToken);
    return again.length === ids.length && again.every((id, i) => id === ids[i]);
  });
  return same === undefined ? { ids } : { text: same };
}

/** A character that is split among tokens is the text of the last; the others are named by their bytes. */
function partNames(
  tokenTexts: readonly string[],
  ids: Uint32Array,
  tokenizer: Tokenizer,
): Record<number, string> {
  const names: Record<number, string> = {};
  for (const [i, text] of tokenTexts.entries()) {
    if (text !== '') continue;
    const bytes = Array.from(tokenizer.tokenBytes(ids[i]!), (byte) => byte.toString(16).padStart(2, '0'));
    names[i] = `‹${bytes.join(' ')}›`;
  }
  return names;
}
