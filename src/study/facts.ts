/** What an engine says of model, text and backend before it measures: plain data. */

export interface ModelFacts {
  readonly name: string;
  readonly digest: string;
  readonly layers: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly vocabularySize: number;
  readonly trainedTokens: number;
  readonly parameterCount: number;
  /** Left out: its files have none. */
  readonly hasChatTemplate?: boolean;
}

/** A task's needle: token range, the words that name it, its value, and whether the question asks for it. */
export interface NeedleFacts {
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly value: string;
  readonly asked: boolean;
}

/** How the command line gets a text's ids: from a text that it makes the same ids of, or from the ids themselves. */
export type SavedText = { readonly text: string } | { readonly ids: readonly number[] };

export interface TextFacts {
  readonly tokens: number;
  /** Displayable text of each token. Untrusted: draw as text nodes only. */
  readonly tokenTexts: readonly string[];
  /** Names of the tokens whose text is empty, as they hold a part of a character: "‹e2 9c›". */
  readonly partNames?: Readonly<Record<number, string>>;
  readonly saved: SavedText;
  readonly queries: { readonly start: number; readonly end: number };
  /** First token of the answer; null without a task. */
  readonly answerStart: number | null;
  readonly needles: readonly NeedleFacts[];
  readonly notices: readonly string[];
}

export interface BackendFacts {
  readonly name: 'starting' | 'webgpu' | 'cpu';
  /** Adapter or processor, for people. */
  readonly description: string;
  /** Why this backend, in one sentence. */
  readonly reason: string;
}

export interface Progress {
  /** What runs, e.g. "reading 512 of 1,024 tokens"; empty when nothing runs. */
  readonly label: string;
  readonly fraction: number;
  readonly expectedSeconds: number | null;
}

/**
 * The query one looks at first: the one that predicts the answer's first visible token, or the first that is measured where they begin
 * later; the last where nothing is asked.
 */
export function usualQuery({ tokens, tokenTexts, answerStart, queries }: TextFacts): number {
  if (answerStart === null) return tokens - 1;
  // Some tokenizers give the blank before the answer a token of its own.
  const predicting = tokenTexts[answerStart]?.trim() === '' ? answerStart : answerStart - 1;
  return Math.max(predicting, queries.start);
}
