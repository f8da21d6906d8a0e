import type { Random } from './random';

/** What a task needs of a tokenizer. `encode` adds no special tokens. */
export interface TaskTokenizer {
  encode(text: string): number[];
  /** The ids that every text begins with: the start token, or none. */
  startIds: readonly number[];
}

/** What a chat template makes of a user's message. */
export interface Chat {
  /** The message as it is written, what stands before it, and behind it up to where the answer begins. */
  frame(message: string): { readonly before: string; readonly message: string; readonly after: string };
}

export const taskIds = ['single-needle', 'four-needles', 'key-value', 'stars'] as const;
export type TaskId = (typeof taskIds)[number];

/** 'spread': over the whole text; a number from 0 (begin) to 1 (end): where the needles asked for are. */
export type NeedleDepth = 'spread' | number;

export interface TaskRequest {
  task: TaskId;
  /** Most tokens of the whole: start token or what a chat template adds, text, question and answer. */
  tokens: number;
  /** Whole number of at most 32 bits. */
  seed: number;
  depth: NeedleDepth;
  /** Prose that the needles are hidden in. It is cycled when it is too short. */
  hay: readonly string[];
  tokenizer: TaskTokenizer;
  /** Makes text and question a message; null, as by default: they are read as they are. */
  chat?: Chat | null;
}

/** A sentence with a fact, woven into the hay. */
export interface Needle {
  /** First token, and the token after the last, of the whole sentence (counting the start token). */
  start: number;
  end: number;
  label: string;
  value: string;
  /** Whether the question asks for it; otherwise it is there to distract. */
  asked: boolean;
}

/** A text with a known answer. Token indices count the start token. */
export interface TaskInstance {
  task: TaskId;
  seed: number;
  /** Tokens asked for; `ids.length` is at most that, and usually some tokens fewer. */
  tokens: number;
  depth: NeedleDepth;
  /** promptText + answerText. */
  text: string;
  promptText: string;
  answerText: string;
  questionStart: number;
  answerStart: number;
  /** The start token, then encode(text). */
  ids: number[];
  /** In the order of the text. */
  needles: Needle[];
}

/** What a kind of task decides: the facts, the question and the answer. Weaving is the same for all kinds. */
export interface TaskDraft {
  needles: { sentence: string; label: string; value: string; asked: boolean }[];
  question: string;
  /** Values in the order in which the answer gives them; null: in the order of the needles in the text. */
  answer: string[] | null;
}

export interface TaskKind {
  id: TaskId;
  title: string;
  /** One sentence for the page. */
  description: string;
  /** Below this length the task is refused. */
  smallestTokens: number;
  draft(random: Random, tokens: number): TaskDraft;
}
