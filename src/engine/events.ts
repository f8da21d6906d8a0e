/** What an engine is asked for, and what it tells on the way. */
import type { MethodSpec } from '../methods/method-spec';
import type { StudyEvents } from '../study/client';
import type { StudySpec } from '../study/spec';

/**
 * What a worker does of a study. 'probe': full attention, probe run, sweep, map. 'free': the method's free run. On a GPU one
 * worker does both; on the CPU two share the work, and the free run is compared once the other has full attention's result. Once a
 * study is done (afterwards.ts): 'time', of the worker that has the probe; 'answers' of a sweep's points, of the one that has free runs.
 */
export type Part = 'probe' | 'free' | 'time' | 'answers';

/** Events that belong to a study and can be posted. */
export type PostedEvent = {
  [Name in keyof StudyEvents]: { readonly name: Name; readonly value: Parameters<StudyEvents[Name]>[0] };
}[keyof StudyEvents];

/** What a free run is compared with: full attention on the same tokens. Plain data, it can be posted. */
export interface FullRun {
  /** Hidden states after the last norm at each token of `queries`: logits are made from them where they are compared. */
  readonly queryStates: Float32Array;
  readonly generated: readonly number[] | null;
}

export interface EngineRun {
  readonly spec: StudySpec;
  readonly parts: readonly Part[];
  readonly signal: AbortSignal;
  /** Ends the loading of the model, which goes on when a study of the same model overtakes this one; `signal` by default. */
  readonly loading?: AbortSignal;
  readonly emit: (event: PostedEvent) => void;
  /** Hears full attention's result as soon as it is there. */
  readonly onFull: (full: FullRun) => void;
  /** Full attention's result from elsewhere, for a run without the part 'probe'. */
  readonly full: Promise<FullRun> | null;
  /** Of the part 'answers': whose curves. */
  readonly answersOf?: readonly MethodSpec[];
  /** The part 'time' may take as long as it takes. */
  readonly timeUnlimited?: boolean;
}
