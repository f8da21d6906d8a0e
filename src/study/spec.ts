/** What a study is: plain data that crosses between worker, store, link and command line. */
import { fingerprint } from '../base/fingerprint';
import type { EvictAfter } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';

/** Where the text comes from. `sample` names a text under samples/texts. */
export type SourceSpec =
  | {
      readonly kind: 'task';
      readonly task: string;
      readonly tokens: number;
      /** 'spread', or relative depth 0…1. */
      readonly depth: 'spread' | number;
      readonly seed: number;
    }
  | { readonly kind: 'sample'; readonly sample: string; readonly tokens: number | null }
  | {
      readonly kind: 'text';
      readonly text: string;
      /** Asked after the text. */
      readonly question?: string;
      /** Answers that count as right, the first of them read as the true one. */
      readonly expected?: readonly string[];
    };

/**
 * First token of `queries`, before which methods evict that evict once. 'answer': the one that the answer's value starts with, so that
 * they evict after the question; null: question and answer where there is one, otherwise the last ⌈T/8⌉ tokens. 0: all.
 */
export type QueriesStart = number | 'answer' | null;

/** Whether a question with a known answer follows the text: a task's, or one's own. */
export function asksQuestion(source: SourceSpec): boolean {
  return (
    source.kind === 'task' ||
    (source.kind === 'text' && source.question !== undefined && source.expected !== undefined)
  );
}

/** Null: the text asks nothing, or the queries begin at a token that was chosen. */
export function evictAfterOf({
  source,
  queriesStart,
}: Pick<StudySpec, 'source' | 'queriesStart'>): EvictAfter | null {
  if (!asksQuestion(source) || typeof queriesStart === 'number') return null;
  return queriesStart === 'answer' ? 'question' : 'context';
}

/** Where the queries begin that are measured when methods evict there. */
export function queriesAfter(place: EvictAfter): QueriesStart {
  return place === 'question' ? 'answer' : null;
}

export interface StudySpec {
  /** 'bundled', a folder's address, `hub:owner/name@revision`, or `file:name` of files that a person gave. */
  readonly model: string;
  readonly source: SourceSpec;
  readonly method: MethodSpec;
  readonly pinned: readonly MethodSpec[];
  readonly queriesStart: QueriesStart;
  /** Whether the text begins with the model's start token; null: as the tokenizer itself has it. */
  readonly startToken: boolean | null;
  /** Whether the model's chat template makes a user's message of the text; left out, it does not. */
  readonly chatTemplate?: boolean;
}

/** What a text, and full attention on it, depend on. */
export function textKey({
  model,
  source,
  queriesStart,
  startToken,
  chatTemplate = false,
}: Pick<StudySpec, 'model' | 'source' | 'queriesStart' | 'startToken' | 'chatTemplate'>): string {
  return fingerprint([model, source, queriesStart, startToken, chatTemplate]);
}
