/**
 * Messages between the page and its engine workers. A worker runs one study at a time; every message about a study carries
 * its number, so that what an overtaken run still sends is recognised and dropped.
 */
import type { BackendName } from '../../gpu/ops';
import type { FullRun, Part, PostedEvent } from '../engine/events';
import type { ImportedSelection } from '../methods/imported/selection';
import type { MethodSpec } from '../methods/method-spec';
import type { FetchedFile } from '../model/files/folder-http';
import type { RequestName, Requests } from '../study/client';
import type { BackendFacts } from '../study/facts';
import type { StudySpec } from '../study/spec';

/** A request of the engine; `reply` or `refused` with its number answers it. */
export type Asked = {
  [Name in RequestName]: {
    readonly type: Name;
    readonly id: number;
    readonly request: Requests[Name]['request'];
  };
}[RequestName];

export type Reply = Requests[RequestName]['reply'];

export type ToWorker =
  | Asked
  | {
      readonly type: 'start';
      readonly backend: 'auto' | BackendName;
      /** Address of the page: relative addresses of models count from there. */
      readonly page: string;
      /** Name of a lock that the worker is to hold as long as it lives; null where there are no locks. */
      readonly life: string | null;
    }
  | {
      readonly type: 'run';
      readonly run: number;
      readonly spec: StudySpec;
      readonly parts: readonly Part[];
      /** 'answers': of the curves of these methods. */
      readonly answersOf?: readonly MethodSpec[];
      /** 'time': however long it takes. */
      readonly timeUnlimited?: boolean;
    }
  | { readonly type: 'full'; readonly run: number; readonly full: FullRun }
  | { readonly type: 'cancel' }
  /** A selection that studies may name as their method from now on. */
  | { readonly type: 'bring'; readonly selection: ImportedSelection }
  /** Asks for a sign of life: `pong` with the same number, as soon as messages are heard. */
  | { readonly type: 'ping'; readonly id: number }
  /** A file that was asked for; null: the server has none. */
  | { readonly type: 'file'; readonly id: number; readonly file: FetchedFile | null }
  | { readonly type: 'noFile'; readonly id: number; readonly sentence: string }
  | { readonly type: 'look'; readonly layer: number; readonly head: number }
  /** What was asked under this number is no longer wanted; no reply is heard. */
  | { readonly type: 'drop'; readonly id: number };

export type FromWorker =
  | { readonly type: 'started'; readonly facts: BackendFacts }
  | { readonly type: 'event'; readonly run: number; readonly event: PostedEvent }
  /** Full attention's result, for the worker that has the free run. */
  | { readonly type: 'full'; readonly run: number; readonly full: FullRun }
  /** The run has ended: everything delivered, or failed. */
  | { readonly type: 'ended'; readonly run: number }
  /** Nothing of the run is in flight any more, also where it was cancelled or overtaken. */
  | { readonly type: 'freed'; readonly run: number }
  /** The worker holds the lock of its life. */
  | { readonly type: 'alive' }
  | { readonly type: 'pong'; readonly id: number }
  /** Asks the page for a file of a model; at most `limitBytes` of the model's files together are taken. */
  | {
      readonly type: 'fetch';
      readonly id: number;
      readonly model: string;
      readonly path: string;
      readonly address: string;
      readonly limitBytes: number;
    }
  | { readonly type: 'reply'; readonly id: number; readonly value: Reply }
  | { readonly type: 'refused'; readonly id: number; readonly sentence: string }
  /**
   * The device is gone; nothing more will come from this worker. `isBroken`: it is there but fails, so that opening it again
   * would not help.
   */
  | { readonly type: 'lost'; readonly sentence: string; readonly isBroken?: boolean };
