/** One engine in a worker of the page. The page's side is client.ts. */
import { isDeviceError } from '../../gpu/device-error';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { ignoreRejection } from '../base/ignore-rejection';
import { isUserError, UserError } from '../base/user-error';
import { openBackend } from '../engine/backend';
import { Engine } from '../engine/engine';
import type { FullRun } from '../engine/events';
import { importedId } from '../methods/imported';
import type { ImportedSelection } from '../methods/imported/selection';
import type { RequestName, Requests } from '../study/client';
import { webEnvironment } from './environment';
import { WorkerFiles } from './files';
import type { FromWorker, ToWorker } from './protocol';

const post = (message: FromWorker, transfer: Transferable[] = []): void => postMessage(message, { transfer });

/** For people; bugs keep their own words. */
function sentence(error: unknown): string {
  if (isUserError(error)) return error.message;
  return `Something went wrong inside Keyhole: ${clause(error)}.`;
}

function clause(error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line!.replace(/[.\s]+$/, '');
}

const files = new WorkerFiles(post);

/** Selections that the page was given, by their method's id. */
const imported = new Map<string, ImportedSelection>();

let engine: Engine | null = null;
let controller = new AbortController();
/** Ends the loading of `loadingModel`, which goes on through studies of the same model. */
let loading = new AbortController();
let loadingModel: string | null = null;
/** The current run, settled or not; a new one waits until the one before has let go of the device. */
let currentRun: Promise<void> = Promise.resolve();
let newestRun = -1;
let deliverFull: ((full: FullRun) => void) | null = null;

async function start({ backend, page, life }: Extract<ToWorker, { type: 'start' }>): Promise<void> {
  if (life !== null) {
    // Held until the worker's end, whatever ends it: then the page is granted the lock.
    void navigator.locks.request(life, () => {
      post({ type: 'alive' });
      return new Promise(() => {});
    });
  }
  const { ops, facts } = await openBackend(backend, () =>
    createWebGpuOps({
      onLost(message) {
        // A device that is lost before the start fails its self-test too, and the CPU takes over without a word of this.
        if (engine) loss.report({ type: 'lost', sentence: message });
      },
    }),
  );
  engine = new Engine(
    ops,
    webEnvironment(page, (model) => files.fetchFor(model)),
    ops.backend === 'webgpu' ? restOfSelfTest() : null,
    imported,
  );
  post({ type: 'started', facts });
}

/** What tries the rest of a GPU before it measures: fetched while the model is, and for a GPU only. */
function restOfSelfTest(): (ops: Ops) => Promise<string | null> {
  const fetched = ignoreRejection(import('../engine/self-test-families'));
  return async (ops) => (await fetched).selfTestFamilies(ops);
}

/** The end of the device, reported once. What its operations throw on the way is no failure of the study. */
const loss = new (class {
  #isReported = false;
  readonly #waiting: (() => void)[] = [];

  report(message: Extract<FromWorker, { type: 'lost' }>): void {
    if (!this.#isReported) post(message);
    this.#isReported = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /**
   * Whether an error came of the device's end. Operations that are pending fail a moment before the loss is reported; an operation
   * that fails without one means that the device cannot be used.
   */
  async explains(error: unknown): Promise<boolean> {
    if (this.#isReported) return true;
    if (!isDeviceError(error)) return false;
    await Promise.race([
      new Promise<void>((resolve) => this.#waiting.push(resolve)),
      new Promise((resolve) => setTimeout(resolve, LOSS_MILLISECONDS)),
    ]);
    this.report({ type: 'lost', sentence: `WebGPU failed: ${clause(error)}.`, isBroken: true });
    return true;
  }
})();

/** Longest time between the failure of an operation and the news that its device is lost. */
const LOSS_MILLISECONDS = 1000;

function run({ run: number, ...asked }: Extract<ToWorker, { type: 'run' }>): void {
  const { spec, parts } = asked;
  overtake();
  if (loadingModel !== spec.model) endLoading();
  if (loading.signal.aborted) loading = new AbortController();
  loadingModel = spec.model;
  controller = new AbortController();
  const { signal } = controller;
  newestRun = number;
  const full =
    !parts.includes('free') || parts.includes('probe')
      ? null
      : new Promise<FullRun>((resolve, reject) => {
          deliverFull = resolve;
          signal.addEventListener('abort', () => reject(signal.reason));
        });
  full?.catch(() => {});
  const before = currentRun;
  currentRun = (async () => {
    await before;
    try {
      await engine?.run({
        ...asked,
        signal,
        loading: loading.signal,
        full,
        emit: (event) => !signal.aborted && post({ type: 'event', run: number, event }),
        onFull: (result) => !parts.includes('free') && post({ type: 'full', run: number, full: result }),
      });
    } catch (error) {
      if (signal.aborted) return;
      // The page starts the study again.
      if (await loss.explains(error)) return;
      post({ type: 'event', run: number, event: { name: 'failed', value: sentence(error) } });
    } finally {
      post({ type: 'freed', run: number });
    }
    if (!signal.aborted) post({ type: 'ended', run: number });
  })();
}

function overtake(): void {
  controller.abort(new DOMException('overtaken', 'AbortError'));
  deliverFull = null;
}

function endLoading(): void {
  loading.abort(new DOMException('no longer wanted', 'AbortError'));
  loadingModel = null;
}

/** Requests that are being answered and can be dropped. */
const answering = new Map<number, AbortController>();

type Answers = {
  readonly [Name in RequestName]: {
    answer(
      engine: Engine,
      request: Requests[Name]['request'],
      signal: AbortSignal,
    ): Promise<Requests[Name]['reply']>;
    /** Arrays of the reply that are given away: nobody here needs them any more. */
    arraysOf?(reply: Requests[Name]['reply']): readonly Float32Array[];
  };
};

const answers: Answers = {
  attention: {
    answer: (engine, request, signal) => engine.attention(request, signal),
    arraysOf: ({ lines }) => lines.flatMap(({ maximum, mean, excess }) => [maximum, mean, excess]),
  },
  coverage: {
    answer: (engine, request, signal) => engine.coverage(request, signal),
    arraysOf: ({ kept }) => kept.filter((share) => share !== null),
  },
  row: {
    answer: (engine, { layer, head, query, positions }) => engine.row(layer, head, query, positions),
  },
  needs: { answer: (engine, request) => engine.needs(request) },
};

async function reply<Name extends RequestName>(
  { answer, arraysOf }: Answers[Name],
  { id, request }: { readonly id: number; readonly request: Requests[Name]['request'] },
): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  answering.set(id, controller);
  try {
    if (!engine) throw new UserError('The engine is still starting; the picture follows with the study.');
    const value = await answer(engine, request, signal);
    if (!signal.aborted) {
      const buffers = new Set(arraysOf?.(value).map(({ buffer }) => buffer as ArrayBuffer));
      post({ type: 'reply', id, value }, [...buffers]);
    }
  } catch (error) {
    if (await loss.explains(error)) return;
    if (!signal.aborted) post({ type: 'refused', id, sentence: sentence(error) });
  } finally {
    answering.delete(id);
  }
}

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'start':
      start(data).catch((error) => post({ type: 'lost', sentence: sentence(error) }));
      return;
    case 'run':
      run(data);
      return;
    case 'full':
      if (data.run === newestRun) deliverFull?.(data.full);
      return;
    case 'cancel':
      overtake();
      endLoading();
      return;
    case 'ping':
      post({ type: 'pong', id: data.id });
      return;
    case 'file':
    case 'noFile':
      files.hear(data);
      return;
    case 'bring':
      imported.set(importedId(data.selection), data.selection);
      return;
    case 'look':
      engine?.look(data.layer, data.head);
      return;
    case 'drop':
      answering.get(data.id)?.abort();
      return;
    default:
      // A message of another kind than a request has no answer here, which the compiler then says.
      void reply(answers[data.type satisfies RequestName] as Answers[RequestName], data);
  }
});
