/** What the page's side does about workers and devices that fail in other ways than by saying so. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BackendName } from '../../gpu/ops';
import type { StudySpec } from '../../src/study/spec';
import { createEngineClient } from '../../src/worker/client';
import type { FromWorker, ToWorker } from '../../src/worker/protocol';

/** A worker that says what the test wants; `isDeaf`: it answers nothing, not even a ping. */
class FakeWorker {
  readonly heard: ToWorker[] = [];
  onmessage: ((event: { data: FromWorker }) => void) | null = null;
  onerror: unknown = null;
  isTerminated = false;
  isDeaf = false;

  postMessage(message: ToWorker): void {
    expect(this.isTerminated).toBe(false);
    this.heard.push(message);
    if (message.type === 'ping' && !this.isDeaf)
      queueMicrotask(() => this.say({ type: 'pong', id: message.id }));
  }

  terminate(): void {
    this.isTerminated = true;
  }

  say(message: FromWorker): void {
    this.onmessage?.({ data: message });
  }

  get run(): number {
    const runs = this.heard.filter((message) => message.type === 'run');
    return runs.at(-1)!.run;
  }
}

const spec = (model = 'bundled'): StudySpec => ({
  model,
  source: { kind: 'text', text: 'a text' },
  startToken: null,
  method: { id: 'full', parameters: {} },
  pinned: [],
  queriesStart: null,
});

function openClient(backend: 'auto' | BackendName = 'auto') {
  const workers: FakeWorker[] = [];
  const events: { name: string; value: unknown }[] = [];
  const hear = new Proxy({} as Parameters<typeof createEngineClient>[0], {
    get: (_, name: string) => (value: unknown) => events.push({ name, value }),
  });
  const client = createEngineClient(hear, {
    page: 'http://page/',
    backend,
    createWorker: () => {
      workers.push(new FakeWorker());
      return workers.at(-1) as unknown as Worker;
    },
  });
  const named = (name: string): unknown[] =>
    events.filter((event) => event.name === name).map(({ value }) => value);
  const start = (index: number, name: BackendName): void =>
    workers[index]!.say({
      type: 'started',
      facts: { name, description: `a ${name}`, reason: `The ${name} is here.` },
    });
  return { client, workers, events, named, start };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a cancelled study', () => {
  test('that is let go of leaves its worker in place', async () => {
    const { client, workers, start } = openClient();
    start(0, 'webgpu');
    client.run(spec());
    client.cancel();
    workers[0]!.say({ type: 'freed', run: workers[0]!.run });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(workers).toHaveLength(1);
    expect(workers[0]!.isTerminated).toBe(false);
  });

  test('whose workers give no sign of life for two seconds: they are ended, and others run the next study', async () => {
    const { client, workers, named, start } = openClient();
    start(0, 'cpu');
    start(1, 'cpu');
    client.run(spec('http://host/bomb'));
    for (const worker of workers) worker.isDeaf = true;
    client.cancel();
    await vi.advanceTimersByTimeAsync(1900);
    expect(workers).toHaveLength(2);
    client.run(spec());
    await vi.advanceTimersByTimeAsync(200);
    expect(workers.map(({ isTerminated }) => isTerminated)).toEqual([true, true, false]);
    expect(workers[2]!.heard[0]).toMatchObject({ type: 'start', backend: 'cpu' });
    start(2, 'cpu');
    expect(workers[2]!.heard.at(-1)).toMatchObject({ type: 'run', spec: spec() });
    expect(workers[3]!.heard.at(-1)).toMatchObject({ type: 'run', spec: spec() });
    expect(named('failed')).toEqual([]);
    // It was not asked for by name, whatever the new worker was told.
    expect(named('backend').at(-1)).toMatchObject({ name: 'cpu', reason: 'The cpu is here.' });
  });

  test('of a worker that hears but does not let go: it has ten seconds', async () => {
    const { client, workers, start } = openClient();
    start(0, 'webgpu');
    client.run(spec());
    client.cancel();
    await vi.advanceTimersByTimeAsync(9000);
    expect(workers[0]!.isTerminated).toBe(false);
    await vi.advanceTimersByTimeAsync(1100);
    expect(workers[0]!.isTerminated).toBe(true);
    expect(workers).toHaveLength(2);
  });

  test('is watched though another was cancelled just before it', async () => {
    const { client, workers, start } = openClient();
    start(0, 'webgpu');
    client.run(spec());
    const first = workers[0]!.run;
    client.cancel();
    client.run(spec('http://host/bomb'));
    workers[0]!.say({ type: 'freed', run: first });
    workers[0]!.isDeaf = true;
    await vi.advanceTimersByTimeAsync(1000);
    client.cancel();
    await vi.advanceTimersByTimeAsync(1900);
    expect(workers[0]!.isTerminated).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(workers[0]!.isTerminated).toBe(true);
    expect(workers).toHaveLength(2);
  });

  test('a long operation under a moved slider ends no worker', async () => {
    const { client, workers, start } = openClient();
    start(0, 'webgpu');
    client.run(spec());
    const first = workers[0]!.run;
    workers[0]!.isDeaf = true;
    client.run(spec());
    await vi.advanceTimersByTimeAsync(15_000);
    workers[0]!.say({ type: 'freed', run: first });
    await vi.advanceTimersByTimeAsync(100_000);
    expect(workers).toHaveLength(1);
    expect(workers[0]!.isTerminated).toBe(false);
  });
});

describe('workers that are not there', () => {
  test('none at all: one sentence, and the study has ended', async () => {
    const names: string[] = [];
    const sentences: unknown[] = [];
    const hear = new Proxy({} as Parameters<typeof createEngineClient>[0], {
      get: (_, name: string) => (value: unknown) => {
        names.push(name);
        if (name === 'failed') sentences.push(value);
      },
    });
    const client = createEngineClient(hear, {
      page: 'http://page/',
      backend: 'auto',
      createWorker: () => {
        throw new ReferenceError('Worker is not defined');
      },
    });
    await vi.advanceTimersByTimeAsync(0);
    client.run(spec());
    await vi.advanceTimersByTimeAsync(0);
    expect(sentences.at(-1)).toMatch(/^This browser has no module workers, [^\n]+\.$/);
    expect(names.at(-1)).toBe('idle');
    await expect(client.ask('row', { layer: 0, head: 0, query: 0 })).rejects.toThrow('reload the page');
  });

  /** Locks that are granted when the test says so. */
  function stubLocks(): { grant: () => void } {
    const granted: (() => void)[] = [];
    const request = (_: string, { signal }: { signal: AbortSignal }, callback: () => void): Promise<void> =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        granted.push(() => {
          if (signal.aborted) return;
          callback();
          resolve();
        });
      });
    vi.stubGlobal('navigator', { locks: { request } });
    return { grant: () => granted.at(-1)?.() };
  }

  test('one that ends without a word in a study is noticed by its lock, and the next study runs', async () => {
    const locks = stubLocks();
    const { client, workers, named, start } = openClient();
    start(0, 'cpu');
    workers[0]!.say({ type: 'alive' });
    client.run(spec());
    await vi.advanceTimersByTimeAsync(600_000);
    expect(named('failed'), 'however long it is silent').toEqual([]);
    locks.grant();
    expect(named('failed')).toEqual(['The engine stopped: its worker ended without a word.']);
    expect(named('idle')).toHaveLength(1);
    expect(workers.every(({ isTerminated }) => isTerminated)).toBe(true);
    client.run(spec());
    start(2, 'cpu');
    expect(workers[2]!.heard.at(-1)).toMatchObject({ type: 'run' });
  });

  test('one that ends while nothing runs is replaced, and its study run again', () => {
    const locks = stubLocks();
    const { client, workers, named, start } = openClient();
    start(0, 'cpu');
    workers[0]!.say({ type: 'alive' });
    client.run(spec());
    // The study's parts, then what is done once they are there.
    for (let i = 0; i < 5 && named('idle').length === 0; i++) {
      for (const worker of [workers[0]!, workers[1]!]) worker.say({ type: 'ended', run: worker.run });
    }
    expect(named('idle')).toHaveLength(1);
    locks.grant();
    expect(named('failed')).toEqual([]);
    expect(named('restarted')).toHaveLength(1);
    start(2, 'cpu');
    expect(workers[2]!.heard.at(-1)).toMatchObject({ type: 'run', spec: spec() });
  });

  test('without locks a busy worker is asked, and has three minutes', async () => {
    vi.stubGlobal('navigator', {});
    const { client, workers, named, start } = openClient();
    start(0, 'webgpu');
    client.run(spec());
    workers[0]!.isDeaf = true;
    await vi.advanceTimersByTimeAsync(170_000);
    expect(named('restarted')).toEqual([]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(workers[0]!.isTerminated).toBe(true);
    expect(named('restarted')).toHaveLength(1);
  });
});

describe('a device', () => {
  test('that is lost clears the error that came before the news, and the study runs again', () => {
    const { client, workers, events, start } = openClient();
    start(0, 'webgpu');
    client.run(spec());
    const { run } = workers[0]!;
    workers[0]!.say({ type: 'event', run, event: { name: 'failed', value: 'mapAsync failed.' } });
    workers[0]!.say({ type: 'lost', sentence: 'The GPU was reset.' });
    expect(
      events.map(({ name }) => name).filter((name) => name === 'failed' || name === 'restarted'),
    ).toEqual(['failed', 'restarted']);
    start(1, 'webgpu');
    expect(workers[1]!.heard.at(-1)).toMatchObject({ type: 'run', spec: spec() });
  });

  test('that fails without being lost: the CPU takes over at once, and says why', () => {
    const { client, workers, named, start } = openClient('webgpu');
    start(0, 'webgpu');
    client.run(spec());
    workers[0]!.say({ type: 'lost', sentence: 'WebGPU failed: map failed.', isBroken: true });
    expect(workers[1]!.heard[0]).toMatchObject({ type: 'start', backend: 'cpu' });
    start(1, 'cpu');
    expect(named('backend').at(-1)).toEqual({
      ...{ name: 'cpu', description: 'a cpu' },
      reason: 'CPU, because WebGPU failed: map failed.',
    });
    expect(workers[1]!.heard.at(-1)).toMatchObject({ type: 'run', spec: spec() });
    expect(named('failed')).toEqual([]);
  });
});
