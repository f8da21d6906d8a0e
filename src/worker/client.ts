/**
 * The page's side of the engine: starts the workers, gives each its part of a study, passes on what belongs to the newest run, and
 * fetches the files that they ask for. A lost GPU device is opened once more with the same study, then the CPU takes over; a worker
 * that does not let go of a cancelled study is ended, and another takes its place.
 */
import type { BackendName } from '../../gpu/ops';
import { Arrivals, AskFirst, OWN_FILES } from '../arrival/arrivals';
import { progressText } from '../arrival/download';
import type { HubProgress } from '../arrival/hub/hub-files';
import type { HubModels } from '../arrival/hub/hub-models';
import { leftText } from '../arrival/hub/rate-meter';
import { isGivenModel, isHubModel, shownModel } from '../arrival/model-name';
import { megabytes } from '../base/megabytes';
import { isUserError, UserError } from '../base/user-error';
import type { Part, PostedEvent } from '../engine/events';
import type { ImportedSelection } from '../methods/imported/selection';
import type { FetchedFile } from '../model/files/folder-http';
import type { Ask, StudyClient, StudyEvents } from '../study/client';
import type { BackendFacts } from '../study/facts';
import type { StudySpec } from '../study/spec';
import { Afterwards } from './afterwards';
import { afterCancel, afterOvertaking, EngineHandle } from './handle';
import type { Asked, FromWorker, Reply } from './protocol';

export interface EngineClientOptions {
  readonly backend: 'auto' | BackendName;
  /** Address that relative addresses of models count from; the page's own by default. */
  readonly page?: string;
  /** What fetches and keeps models of hubs, once one is named. */
  readonly openHub?: () => Promise<HubModels>;
  /** Makes a worker; tests hand in one of their own. */
  readonly createWorker?: () => Worker;
}

interface Waiting {
  resolve(value: Reply): void;
  reject(reason: unknown): void;
}

/** Why a backend was chosen, where it is not the workers that chose. */
type Known = Pick<BackendFacts, 'name' | 'reason'>;

const OVERTAKEN = 'This picture was overtaken by a newer study.';
const NO_WORKER =
  'This browser has no module workers, in which Keyhole computes; use a current Chrome, Edge, Safari or Firefox.';
/** Downloads are reported at most this often, and from the size on that takes a moment. */
const REPORT_MILLISECONDS = 100;
const WORTH_REPORTING_BYTES = 2e6;

function createEngineWorker(): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), {
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
  let workers: EngineHandle[] = [];
  let unfinished = 0;
  let nextReply = 0;
  let reported = 0;
  let expected: Known | null = null;
  let deaths = 0;
  const waiting = new Map<number, Waiting>();
  /** For workers that take the place of others. */
  const brought: ImportedSelection[] = [];
  /** Files that a person gave, by model and path. */
  const given = new Map<string, ReadonlyMap<string, Blob>>();
  let hub: Promise<HubModels> | null = null;
  const arrivals = new Arrivals({
    onProgress(model, received, announced) {
      const now = performance.now();
      if (model !== spec?.model || unfinished === 0) return;
      if (Math.max(received, announced ?? 0) < WORTH_REPORTING_BYTES) return;
      if (now - reported < REPORT_MILLISECONDS && received !== announced) return;
      reported = now;
      const name = model === OWN_FILES ? 'the bundled model' : model;
      const fraction = announced ? received / announced : 0;
      const percent = announced ? `, ${Math.floor(100 * fraction)} %` : '';
      const label = `loading ${name}: ${progressText(received, announced)}${percent}`;
      events.progress({ label, fraction, expectedSeconds: null });
    },
  });

  function openHub(): Promise<HubModels> {
    if (!options.openHub) throw new UserError('Models of a hub are not fetched here.');
    hub ??= options.openHub().then((models) => {
      models.store.subscribe(({ progress }, before) => {
        const said = spec && progress[spec.model];
        if (!said || unfinished === 0 || said === before.progress[said.model]) return;
        const fraction = said.total > 0 ? said.received / said.total : 0;
        events.progress({ label: hubLabel(said), fraction, expectedSeconds: null });
      });
      return models;
    });
    return hub;
  }

  /** Those of one model go on. */
  function stopDownloads(exceptModel: string | null): void {
    arrivals.abort(exceptModel ?? undefined);
    void hub?.then((models) => models.ask('stop', exceptModel));
  }

  async function fileOf(request: Extract<FromWorker, { type: 'fetch' }>): Promise<FetchedFile | null> {
    const { model, path, limitBytes } = request;
    if (isHubModel(model)) return (await openHub()).ask('get', model, path, limitBytes);
    if (isGivenModel(model)) {
      const files = given.get(model);
      if (!files) throw new UserError(`The files of ${shownModel(model)} have to be given again.`);
      const blob = files.get(path);
      return blob ? { blob } : null;
    }
    const blob = await arrivals.get(request);
    return blob && { blob };
  }

  const afterwards = new Afterwards({
    give(which, extras) {
      const handle = workers[which === 'probe' ? 0 : workers.length - 1];
      if (!spec || !handle) return;
      unfinished = 1;
      handle.post({ type: 'run', run, spec, ...extras });
    },
    stop() {
      run++;
      for (const handle of workers) handle.post({ type: 'cancel' });
    },
    onRest: () => rest(1),
    onAnswersEnd: () => events.answersEnded(),
  });

  /** Throws where there are no workers. */
  function add(parts: readonly Part[], backend: 'auto' | BackendName): void {
    const handle: EngineHandle = new EngineHandle(createWorker(), parts, {
      message: (message) => hear(handle, message),
      died: (why) => lose(`The engine stopped: ${why.replace(/\.$/, '')}.`),
      stuck: replaceWorkers,
    });
    workers.push(handle);
    handle.start(backend, options.page ?? document.baseURI);
    for (const selection of brought) handle.post({ type: 'bring', selection });
  }

  /** `known`: what is said of the backend where it is not looked for anew. */
  function startWorkers(backend: 'auto' | BackendName, known: Known | null = null): void {
    facts = null;
    try {
      add(['probe'], backend);
      expected = known;
    } catch {
      // Not before whoever started this has its client.
      queueMicrotask(() => fail(NO_WORKER));
    }
  }

  function stopWorkers(): void {
    for (const handle of workers) handle.terminate();
    workers = [];
    unfinished = 0;
    afterwards.begin(null);
    for (const reply of waiting.values()) reply.reject(new UserError(OVERTAKEN));
    waiting.clear();
  }

  /** New workers on the same backend in the place of those that do not let go. What they had fetched is still here. */
  function replaceWorkers(): void {
    const known = facts ?? expected;
    stopWorkers();
    startWorkers(known?.name === 'cpu' ? 'cpu' : options.backend, known);
  }

  /** The first worker says which backend there is; on the CPU a second one takes the free runs. */
  function started(entry: EngineHandle, found: BackendFacts): void {
    if (entry !== workers[0]) return;
    facts = expected?.name === found.name ? { ...found, reason: expected.reason } : found;
    if (found.name === 'cpu') add(['free'], 'cpu');
    else entry.parts = ['probe', 'free'];
    events.backend(facts);
    if (spec) give();
  }

  /** Hands the study to every worker. */
  function give(): void {
    if (!spec || !facts) return;
    afterwards.begin(spec);
    unfinished = workers.length;
    workers[0]!.post({ type: 'look', ...view });
    for (const handle of workers) handle.post({ type: 'run', run, spec, parts: handle.parts });
  }

  function hear(entry: EngineHandle, message: FromWorker): void {
    switch (message.type) {
      case 'started':
        started(entry, message.facts);
        return;
      case 'event':
        if (message.run === run) pass(entry, message.event);
        return;
      case 'full':
        if (message.run !== run) return;
        for (const other of workers) if (other !== entry) other.post(message);
        return;
      case 'ended':
        if (message.run !== run) return;
        unfinished--;
        if (unfinished === 0) afterwards.ended();
        return;
      case 'reply':
      case 'refused': {
        const reply = waiting.get(message.id);
        waiting.delete(message.id);
        if (message.type === 'refused') reply?.reject(new UserError(message.sentence));
        else reply?.resolve(message.value);
        return;
      }
      case 'fetch':
        void supply(entry, message);
        return;
      case 'lost':
        lose(message.sentence, message.isBroken);
        return;
      case 'freed':
      case 'alive':
      case 'pong':
        // What the handle watches its worker by.
        return;
      default:
        message satisfies never;
    }
  }

  function pass(entry: EngineHandle, { name, value }: PostedEvent): void {
    (events[name] as (value: unknown) => void)(value);
    if (name === 'failed') afterwards.failed();
    if (name === 'timing') afterwards.timing(value);
    // Without full attention's result a free run elsewhere would wait for ever.
    if (name === 'failed' && entry === workers[0]) finish();
  }

  async function supply(entry: EngineHandle, request: Extract<FromWorker, { type: 'fetch' }>): Promise<void> {
    const { id, model } = request;
    const isWanted = model === spec?.model || model === OWN_FILES;
    try {
      if (!isWanted) throw new DOMException('no longer wanted', 'AbortError');
      entry.post({ type: 'file', id, file: await fileOf(request) });
    } catch (error) {
      if (error instanceof AskFirst && spec?.model === model) {
        events.asks(error.question);
        finish();
      }
      const sentence = isUserError(error) ? error.message : 'The file is no longer wanted.';
      entry.post({ type: 'noFile', id, sentence });
    }
  }

  /** Stops the current run, keeps what has arrived. */
  function finish(): void {
    run++;
    unfinished = 0;
    afterwards.begin(null);
    stopDownloads(null);
    for (const handle of workers) {
      handle.post({ type: 'cancel' });
      handle.expectFreed(afterCancel);
    }
    rest(0);
  }

  function rest(fraction: number): void {
    arrivals.shrink();
    events.progress({ label: '', fraction, expectedSeconds: null });
    events.idle();
  }

  function fail(sentence: string): void {
    run++;
    events.failed(sentence);
    rest(0);
  }

  /** A worker or its device is gone. */
  function lose(sentence: string, isBroken = false): void {
    const was = facts;
    const wasBusy = unfinished > 0;
    stopWorkers();
    stopDownloads(null);
    if (was?.name === 'cpu' && !wasBusy && deaths === 0) {
      // Nobody waits for it: what it held is computed anew, once.
      deaths++;
      run++;
      if (spec) events.restarted();
      startWorkers('cpu', was);
      return;
    }
    if (was?.name !== 'webgpu' || restarts >= 2) {
      fail(sentence);
      return;
    }
    restarts = isBroken ? 2 : restarts + 1;
    run++;
    if (spec) events.restarted();
    if (restarts === 1) {
      startWorkers(options.backend);
      return;
    }
    const why = isBroken ? sentence : 'the GPU device was lost twice';
    startWorkers('cpu', { name: 'cpu', reason: `CPU, because ${why.replace(/\.$/, '')}.` });
  }

  const ask: Ask = (type, request, signal) => {
    if (!workers.length) return Promise.reject(new UserError('The engine has stopped; reload the page.'));
    const id = nextReply++;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      workers[0]!.post({ type, id, request } as Asked);
      signal?.addEventListener('abort', () => {
        if (!waiting.delete(id)) return;
        workers[0]?.post({ type: 'drop', id });
        reject(signal.reason);
      });
    });
  };

  startWorkers(options.backend);

  return {
    run(next) {
      run++;
      if (next.model !== spec?.model) stopDownloads(next.model);
      spec = next;
      afterwards.begin(null);
      if (!workers.length) {
        startWorkers(options.backend);
        return;
      }
      for (const handle of workers) handle.expectFreed(afterOvertaking);
      give();
    },
    cancel() {
      spec = null;
      finish();
    },
    agree: (question) => arrivals.agree(question),
    measureTime: () => afterwards.measureTime(true),
    answer: (methods) => afterwards.answer(methods),
    bring(selection) {
      brought.push(selection);
      for (const handle of workers) handle.post({ type: 'bring', selection });
    },
    give: (model, files) => given.set(model, files),
    look(layer, head) {
      view = { layer, head };
      workers[0]?.post({ type: 'look', layer, head });
    },
    ask,
    dispose() {
      stopDownloads(null);
      stopWorkers();
    },
  };
}

/** How far the files of a hub's model are, in a line. */
function hubLabel({ model, received, total, bytesPerSecond, isPaused, waiting }: HubProgress): string {
  const name = shownModel(model);
  const percent = total > 0 ? Math.floor((100 * received) / total) : 0;
  const far = `${name}: ${progressText(received, total)}, ${percent} %`;
  if (isPaused) return `paused ${far}`;
  if (waiting !== null) return `loading ${far}; ${waiting}`;
  if (!bytesPerSecond) return `loading ${far}`;
  return `loading ${far}, ${megabytes(bytesPerSecond)}/s, ${leftText((total - received) / bytesPerSecond)} left`;
}
