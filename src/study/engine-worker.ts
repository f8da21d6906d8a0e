/** One engine in a worker of the page. The page's side is engine-client.ts. */
import { createWebGpuOps } from '../../gpu/webgpu';
import { isUserError, UserError } from '../user-error';
import { openBackend } from './backend';
import type { FullRun } from './engine';
import { Engine } from './engine';
import type { FromWorker, ToWorker } from './protocol';
import { webEnvironment } from './web-environment';

const post = (message: FromWorker, transfer: Transferable[] = []): void => postMessage(message, { transfer });

/** For people; bugs keep their own words. */
function sentence(error: unknown): string {
  if (isUserError(error)) return error.message;
  return `Something went wrong inside Keyhole: ${error instanceof Error ? error.message : String(error)}.`;
}

let engine: Engine | null = null;
let controller = new AbortController();
/** The run under way, settled or not; a new one waits until the one before has let go of the device. */
let underWay: Promise<void> = Promise.resolve();
let newestRun = -1;
let deliverFull: ((full: FullRun) => void) | null = null;

async function start(backend: 'auto' | 'webgpu' | 'cpu', page: string): Promise<void> {
  const { ops, facts } = await openBackend(backend, () =>
    createWebGpuOps({
      // A device that is lost before the start fails its self-test too, and the CPU takes over without a word of this.
      onLost: (message) => engine && post({ type: 'lost', sentence: message }),
    }),
  );
  engine = new Engine(ops, webEnvironment(page));
  post({ type: 'started', facts });
}

function run({ run: number, spec, parts }: Extract<ToWorker, { type: 'run' }>): void {
  cancel();
  controller = new AbortController();
  const { signal } = controller;
  newestRun = number;
  const full = parts.includes('probe')
    ? null
    : new Promise<FullRun>((resolve, reject) => {
        deliverFull = resolve;
        signal.addEventListener('abort', () => reject(signal.reason));
      });
  full?.catch(() => {});
  const before = underWay;
  underWay = (async () => {
    await before;
    try {
      await engine?.run({
        spec,
        parts,
        signal,
        full,
        emit: (event) => !signal.aborted && post({ type: 'event', run: number, event }),
        onFull: (result) => !parts.includes('free') && post({ type: 'full', run: number, full: result }),
      });
    } catch (error) {
      if (signal.aborted) return;
      post({ type: 'event', run: number, event: { name: 'failed', value: sentence(error) } });
    }
    post({ type: 'ended', run: number });
  })();
}

function cancel(): void {
  controller.abort(new DOMException('overtaken', 'AbortError'));
  deliverFull = null;
}

/** Requests that are being answered and can be dropped. */
const answering = new Map<number, AbortController>();

async function reply<Value extends Extract<FromWorker, { type: 'reply' }>['value']>(
  id: number,
  work: (signal: AbortSignal) => Promise<Value>,
  /** Arrays that are given away: nobody here needs them any more. */
  arraysOf: (value: Value) => readonly Float32Array[] = () => [],
): Promise<void> {
  const request = new AbortController();
  answering.set(id, request);
  try {
    const value = await work(request.signal);
    if (!request.signal.aborted) {
      const buffers = new Set(arraysOf(value).map(({ buffer }) => buffer as ArrayBuffer));
      post({ type: 'reply', id, value }, [...buffers]);
    }
  } catch (error) {
    if (!request.signal.aborted) post({ type: 'refused', id, sentence: sentence(error) });
  } finally {
    answering.delete(id);
  }
}

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'start':
      start(data.backend, data.page).catch((error) => post({ type: 'lost', sentence: sentence(error) }));
      return;
    case 'run':
      run(data);
      return;
    case 'full':
      if (data.run === newestRun) deliverFull?.(data.full);
      return;
    case 'cancel':
      cancel();
      return;
    case 'look':
      engine?.look(data.layer, data.head);
      return;
    case 'attention':
      void reply(
        data.id,
        async (signal) => needEngine().attention(data.request, signal),
        ({ lines }) => lines.flatMap(({ maximum, mean }) => [maximum, mean]),
      );
      return;
    case 'coverage':
      void reply(
        data.id,
        async (signal) => needEngine().coverage(data.request, signal),
        ({ kept }) => kept.filter((share) => share !== null),
      );
      return;
    case 'drop':
      answering.get(data.id)?.abort();
      return;
    case 'row':
      void reply(data.id, async () => needEngine().row(data.layer, data.head, data.query));
      return;
  }
});

function needEngine(): Engine {
  if (!engine) throw new UserError('The engine is still starting; the picture follows with the study.');
  return engine;
}
