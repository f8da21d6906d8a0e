/** What a study is: plain data that crosses between worker, store, link and command line. */
import { fingerprint } from '../base/fingerprint';
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
  | { readonly kind: 'text'; readonly text: string };

export interface StudySpec {
  /** 'bundled', or a folder's address. */
  readonly model: string;
  readonly source: SourceSpec;
  readonly method: MethodSpec;
  readonly pinned: readonly MethodSpec[];
  /** First token of `queries`; null: a task's question and answer, otherwise the last ⌈T/8⌉ tokens. 0: all. */
  readonly queriesStart: number | null;
  /** Whether the text begins with the model's start token; null: as the tokenizer itself has it. */
  readonly startToken: boolean | null;
}

/** What a text, and full attention on it, depend on. */
export function textKey({
  model,
  source,
  queriesStart,
  startToken,
}: Pick<StudySpec, 'model' | 'source' | 'queriesStart' | 'startToken'>): string {
  return fingerprint([model, source, queriesStart, startToken]);
}
