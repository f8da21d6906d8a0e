/** window.keyhole: what scripts may rely on (docs/contracts.md, "window.keyhole"). */

import type { EvictAfter } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';
import type { Measurements } from '../study/results';
import { evictAfterOf, type SourceSpec } from '../study/spec';
import type { View } from './choices';
import { questionText } from './link/model-address';
import { presentMeasurements, presentOrigin, presentRecord } from './measured';
import { chosenQuery, type PageState, questionOf } from './state';

/** Plain data. Opening a link made from it gives an equal one, except `timing` and `origin`. */
export interface KeyholeState {
  readonly version: string;
  readonly modelDigest: string | null;
  readonly source: SourceSpec;
  /** Whether the text begins with the model's start token; null: as the tokenizer has it. */
  readonly startToken: boolean | null;
  /** Whether the model's chat template makes a user's message of the text. */
  readonly chatTemplate: boolean;
  /** Where methods that evict once do so; null: the text asks nothing, or the queries begin at a token that was chosen. */
  readonly evictAfter: EvictAfter | null;
  readonly method: string;
  readonly parameters: MethodSpec['parameters'];
  readonly pinned: readonly MethodSpec[];
  readonly view: View;
  readonly origin: 'recorded' | 'live' | null;
  readonly error: string | null;
  readonly backend: 'starting' | 'webgpu' | 'cpu';
  /** What this `method` with these `parameters` has measured on this `source`, and nothing of any other. */
  readonly measurements: Measurements | null;
  readonly timing: Readonly<Record<string, number>>;
}

export interface KeyholeWindow {
  idle(): Promise<KeyholeState>;
  state(): KeyholeState;
}

declare global {
  interface Window {
    keyhole: KeyholeWindow;
  }
}

/** A copy of what the page shows, safe to keep and to send. */
export function contractState(state: PageState, version: string): KeyholeState {
  const { session } = state;
  const question = questionOf(state);
  return structuredClone({
    version,
    modelDigest: state.model?.digest ?? null,
    source: session.source,
    startToken: session.startToken,
    chatTemplate: session.chatTemplate ?? false,
    evictAfter: evictAfterOf(session),
    method: session.method.id,
    parameters: session.method.parameters,
    pinned: session.pinned,
    view: { ...session.view, query: chosenQuery(state) },
    origin: presentOrigin(state.records, session),
    error: question === null ? (state.error ?? state.problem) : questionText(question),
    backend: state.backend.name,
    measurements: presentMeasurements(state.records, session),
    timing: presentRecord(state.records, session)?.timing ?? {},
  });
}

export function installKeyhole(page: KeyholeWindow): void {
  window.keyhole = { idle: page.idle, state: page.state };
}
