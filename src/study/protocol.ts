/**
 * Messages between the page and its engine workers. A worker runs one study at a time; every message about a study carries
 * its number, so that what an overtaken run still sends is recognised and dropped.
 */
import type { BackendName } from '../../gpu/ops';
import type { StudyEvents } from './client';
import type { FullRun } from './engine';
import type { AttentionReply, AttentionRequest, CoverageReply, CoverageRequest } from './tile-work';
import type { BackendFacts, QueryRow, StudySpec } from './types';

/**
 * What a worker does of a study. 'probe': full attention, probe run, sweep, map. 'free': the method's free run. On a GPU one
 * worker does both; on the CPU two share the work, and the free run is compared once the other has full attention's result.
 */
export type Part = 'probe' | 'free';

/** Events that belong to a study and can be posted. */
export type PostedEvent = {
  [Name in keyof StudyEvents]: { readonly name: Name; readonly value: Parameters<StudyEvents[Name]>[0] };
}[keyof StudyEvents];

export type ToWorker =
  | {
      readonly type: 'start';
      readonly backend: 'auto' | BackendName;
      /** Address of the page: relative addresses of models count from there. */
      readonly page: string;
    }
  | { readonly type: 'run'; readonly run: number; readonly spec: StudySpec; readonly parts: readonly Part[] }
  | { readonly type: 'full'; readonly run: number; readonly full: FullRun }
  | { readonly type: 'cancel' }
  | { readonly type: 'look'; readonly layer: number; readonly head: number }
  | { readonly type: 'attention'; readonly id: number; readonly request: AttentionRequest }
  | { readonly type: 'coverage'; readonly id: number; readonly request: CoverageRequest }
  /** What was asked under this number is no longer wanted; no reply is heard. */
  | { readonly type: 'drop'; readonly id: number }
  | {
      readonly type: 'row';
      readonly id: number;
      readonly layer: number;
      readonly head: number;
      readonly query: number;
    };

export type FromWorker =
  | { readonly type: 'started'; readonly facts: BackendFacts }
  | { readonly type: 'event'; readonly run: number; readonly event: PostedEvent }
  /** Full attention's result, for the worker that has the free run. */
  | { readonly type: 'full'; readonly run: number; readonly full: FullRun }
  /** The run has ended: everything delivered, failed or cancelled. */
  | { readonly type: 'ended'; readonly run: number }
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly value: AttentionReply | CoverageReply | QueryRow;
    }
  | { readonly type: 'refused'; readonly id: number; readonly sentence: string }
  /** The device is gone; nothing more will come from this worker. */
  | { readonly type: 'lost'; readonly sentence: string };
