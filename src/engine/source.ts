/** From what a study asks for to token ids and the facts that the page shows about the text. */

import { UserError } from '../base/user-error';
import type { StudyPlaces } from '../methods/method';
import type { ModelConfig } from '../model/architectures/config';
import { checkedIds } from '../model/tokenizer/token-ids';
import type { StartToken, Tokenizer } from '../model/tokenizer/tokenizer';
import type { SavedText, TextFacts } from '../study/facts';
import { LONGEST_TEXT_TOKENS } from '../study/limits';
import type { QueriesStart, SourceSpec, StudySpec } from '../study/spec';
import { isAnswerComplete, isAnswerRight } from '../tasks/answer';
import { generateTask } from '../tasks/generate';
import type { TaskId, TaskInstance } from '../tasks/task';
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

/**
 * Builds the text of a study. Throws UserError: empty or too long text, unknown sample, a task that does not fit, a character
 * that no token spells, tokens that the model does not have.
 */
export function buildText(
  spec: Pick<StudySpec, 'source' | 'queriesStart' | 'startToken'>,
  tokenizer: Tokenizer,
  config: Pick<ModelConfig, 'trainedTokens' | 'vocabularySize'>,
  samples: readonly SampleText[],
): StudyText {
  const { startToken } = spec;
  const made =
    spec.source.kind === 'task'
      ? fromTask(spec.source, tokenizer, startToken, samples)
      : fromProse(spec.source, tokenizer, startToken, samples);
  const ids = checkedIds(made.ids, config);
  const { evictAt, answerStart } = placesOf(made, spec.queriesStart);
  const notices = [...made.notices, ...lengthNotices(ids.length, config.trainedTokens)];
  let tokenTexts: readonly string[] | null = null;
  let saved: SavedText | null = null;
  return {
    ids,
    answerText: made.answerText,
    placesAt: (queriesStart) => placesOf(made, queriesStart),
    isContinued: spec.source.kind === 'text',
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
    isAnswerComplete: (generated) => isAnswerComplete(tokenizer.decode([...generated])),
    judge(generated) {
      const text = tokenizer.decode([...generated]);
      return {
        text,
        right: made.answerText !== null && isAnswerRight(text, { answerText: made.answerText }),
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
  const evictAt = chosen ?? questionStart ?? ids.length - Math.ceil(ids.length / 8);
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
  readonly needles: TextFacts['needles'];
  readonly notices: readonly string[];
}

function fromTask(
  source: Extract<SourceSpec, { kind: 'task' }>,
  tokenizer: Tokenizer,
  startToken: StartToken,
  samples: readonly SampleText[],
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
  });
  return {
    ids: task.ids,
    text: task.text,
    questionStart: task.questionStart,
    answerStart: task.answerStart,
    valueStart: valueStart(task, tokenizer),
    answerText: task.answerText,
    needles: task.needles,
    notices: [],
  };
}

/**
 * Where the answer's value starts. White space that is a token of its own says nothing of the answer, and a model writes it
 * without looking for one: a query that had read no further would not know what is needed.
 */
function valueStart({ ids, answerStart }: TaskInstance, tokenizer: Tokenizer): number {
  const texts = tokenizer.tokenTexts(ids.slice(answerStart));
  return (
    answerStart +
    Math.max(
      0,
      texts.findIndex((text) => text.trim() !== ''),
    )
  );
}

function fromProse(
  source: Extract<SourceSpec, { kind: 'sample' | 'text' }>,
  tokenizer: Tokenizer,
  startToken: StartToken,
  samples: readonly SampleText[],
): MadeText {
  let text: string;
  let limit = LONGEST_TEXT_TOKENS;
  if (source.kind === 'sample') {
    const sample = samples.find((candidate) => candidate.id === source.sample);
    if (!sample) {
      throw new UserError(
        `There is no sample text "${source.sample}"; choose one of ${samples.map((candidate) => candidate.id).join(', ')}.`,
      );
    }
    text = sample.text;
    limit = source.tokens ?? limit;
    if (!(limit >= 1)) throw new UserError(`Of a sample text, read at least 1 of its tokens, not ${limit}.`);
  } else {
    text = source.text;
  }
  if (text.trim() === '') throw new UserError('The text is empty; type or paste some words.');
  const all = tokenizer.encodeText(text, startToken);
  if (source.kind === 'text' && all.length > limit) {
    throw new UserError(`The text has ${all.length} tokens; use at most ${limit}.`);
  }
  return {
    ids: all.slice(0, limit),
    text: all.length <= limit ? text : null,
    questionStart: null,
    answerStart: null,
    valueStart: null,
    answerText: null,
    needles: [],
    notices: [],
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
