/**
 * The page's side of the engine: starts the workers, gives each its part of a study, and passes on what belongs to the
 * newest run. A lost GPU device is restarted once with the same study, then the CPU takes over.
 */
import type { BackendName } from '../../gpu/ops';
import { UserError } from '../user-error';
import type { StudyClient, StudyEvents } from './client';
import type { FromWorker, Part, ToWorker } from './protocol';
import type { AttentionReply, CoverageReply } from './tile-work';
import type { BackendFacts, QueryRow, StudySpec } from './types';

export interface EngineClientOptions {
  readonly backend: 'auto' | BackendName;
  /** Address that relative addresses of models count from; the page's own unless told. */
  readonly page?: string;
  /** Makes a worker; tests hand in one of their own. */
  readonly createWorker?: () => Worker;
}

type Reply = Extract<FromWorker, { type: 'reply' }>['value'];

interface Waiting {
  resolve(value: Reply): void;
  reject(reason: unknown): void;
}

const OVERTAKEN = 'This picture was overtaken by a newer study.';

function createEngineWorker(): Worker {
  return new Worker(new URL('./engine-worker.ts', import.meta.url), {
    type: 'module',
    name: 'keyhole engine',
  });
}

/** Starts the engine; results arrive through `events`. */
export function createEngineClient(events: StudyEvents, options: EngineClientOptions): StudyClient {
  const createWorker = options.createWorker ?? createEngineWorker;
  let run = 0;
  let spec: StudySpec | null = null;
  let facts: BackendFacts | null = null;
  let view = { layer: 0, head: 0 };
  let restarts = 0;
  let workers: { worker: Worker; parts: readonly Part[] }[] = [];
  let unfinished = 0;
  let nextReply = 0;
  const waiting = new Map<number, Waiting>();

  const post = (worker: Worker, message: ToWorker): void => worker.postMessage(message);

  function add(parts: readonly Part[], backend: 'auto' | BackendName): void {
    const worker = createWorker();
    const entry = { worker, parts };
    workers.push(entry);
    worker.onmessage = (message: MessageEvent<FromWorker>) => hear(entry, message.data);
    worker.onerror = (event) => {
      event.preventDefault();
      lose(`The engine stopped: ${event.message || 'its worker could not be started'}.`);
    };
    post(worker, { type: 'start', backend, page: options.page ?? document.baseURI });
  }

  function startWorkers(backend: 'auto' | BackendName): void {
    facts = null;
    add(['probe'], backend);
  }

  function stopWorkers(): void {
    for (const { worker } of workers) worker.terminate();
    workers = [];
    for (const reply of waiting.values()) reply.reject(new UserError(OVERTAKEN));
    waiting.clear();
  }

  /** The first worker says which backend there is; on the CPU a second one takes the free runs. */
  function started(entry: { worker: Worker; parts: readonly Part[] }, found: BackendFacts): void {
    if (entry !== workers[0]) return;
    facts = found;
    if (found.name === 'cpu') add(['free'], 'cpu');
    else entry.parts = ['probe', 'free'];
    events.backend(found);
    if (spec) give();
  }

  /** Hands the study to every worker. */
  function give(): void {
    if (!spec || !facts) return;
    unfinished = workers.length;
    post(workers[0].worker, { type: 'look', ...view });
    for (const { worker, parts } of workers) post(worker, { type: 'run', run, spec, parts });
  }

  function hear(entry: { worker: Worker; parts: readonly Part[] }, message: FromWorker): void {
    switch (message.type) {
      case 'started':
        started(entry, message.facts);
        return;
      case 'event': {
        if (message.run !== run) return;
        const { name, value } = message.event;
        (events[name] as (value: unknown) => void)(value);
        // Without full attention's result a free run elsewhere would wait for ever.
        if (name === 'failed' && entry === workers[0]) finish();
        return;
      }
      case 'full':
        if (message.run !== run) return;
        for (const other of workers) if (other !== entry) post(other.worker, message);
        return;
      case 'ended':
        if (message.run !== run) return;
        unfinished--;
        if (unfinished === 0) rest(1);
        return;
      case 'reply':
      case 'refused': {
        const reply = waiting.get(message.id);
        waiting.delete(message.id);
        if (message.type === 'refused') reply?.reject(new UserError(message.sentence));
        else reply?.resolve(message.value);
        return;
      }
      case 'lost':
        lose(message.sentence);
        return;
    }
  }

  /** Stops what is under way, keeps what has arrived. */
  function finish(): void {
    run++;
    for (const { worker } of workers) post(worker, { type: 'cancel' });
    rest(0);
  }

  function rest(fraction: number): void {
    events.progress({ label: '', fraction, expectedSeconds: null });
    events.idle();
  }

  function lose(sentence: string): void {
    const wasGpu = facts?.name === 'webgpu';
    stopWorkers();
    if (wasGpu && restarts < 2) {
      restarts++;
      startWorkers(restarts === 1 ? options.backend : 'cpu');
      return;
    }
    run++;
    events.failed(sentence);
    rest(0);
  }

  function ask<T extends Reply>(message: (id: number) => ToWorker, signal?: AbortSignal): Promise<T> {
    if (!workers.length) return Promise.reject(new UserError('The engine has stopped; reload the page.'));
    const id = nextReply++;
    return new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      post(workers[0].worker, message(id));
      signal?.addEventListener('abort', () => {
        if (!waiting.delete(id)) return;
        if (workers.length) post(workers[0].worker, { type: 'drop', id });
        reject(signal.reason);
      });
    });
  }

  startWorkers(options.backend);

  return {
    run(next) {
      run++;
      spec = next;
      if (!workers.length) startWorkers(options.backend);
      else give();
    },
    cancel() {
      spec = null;
      finish();
    },
    look(layer, head) {
      view = { layer, head };
      if (workers.length) post(workers[0].worker, { type: 'look', layer, head });
    },
    attention: (request, signal) => ask<AttentionReply>((id) => ({ type: 'attention', id, request }), signal),
    coverage: (request, signal) => ask<CoverageReply>((id) => ({ type: 'coverage', id, request }), signal),
    row: (layer, head, query) => ask<QueryRow>((id) => ({ type: 'row', id, layer, head, query })),
    dispose: stopWorkers,
  };
}
