import { describe, expect, test } from 'vitest';
import type { BackendName } from '../../gpu/ops';
import { isUserError } from '../../src/base/user-error';
import type { QueryRow } from '../../src/measure/results';
import type { StudySpec } from '../../src/study/spec';
import type { AttentionReply, AttentionRequest } from '../../src/tiles/requests';
import { createEngineClient } from '../../src/worker/client';
import type { FromWorker, ToWorker } from '../../src/worker/protocol';

/** A worker that records what it is told and says what the test wants. */
class FakeWorker {
  readonly heard: ToWorker[] = [];
  onmessage: ((event: { data: FromWorker }) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  isTerminated = false;

  postMessage(message: ToWorker): void {
    expect(this.isTerminated, 'nothing is said to a worker that has ended').toBe(false);
    // Messages are cloned; whatever cannot be must not be posted.
    this.heard.push(structuredClone(message));
  }

  terminate(): void {
    this.isTerminated = true;
  }

  say(message: FromWorker): void {
    this.onmessage?.({ data: structuredClone(message) });
  }

  of<Type extends ToWorker['type']>(type: Type): Extract<ToWorker, { type: Type }>[] {
    return this.heard.filter(
      (message): message is Extract<ToWorker, { type: Type }> => message.type === type,
    );
  }

  get run(): number {
    return this.of('run').at(-1)!.run;
  }
}

const spec = (seed: number): StudySpec => ({
  model: 'bundled',
  source: { kind: 'task', task: 'single-needle', tokens: 256, depth: 'spread', seed },
  method: { id: 'full', parameters: {} },
  pinned: [],
  queriesStart: null,
  startToken: null,
});

/** A client, its workers in the order of their start, and the events it passed on. */
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
      return workers[workers.length - 1] as unknown as Worker;
    },
  });
  const named = (name: string): unknown[] =>
    events.filter((event) => event.name === name).map(({ value }) => value);
  return { client, workers, events, named };
}

function start(worker: FakeWorker, name: BackendName): void {
  worker.say({ type: 'started', facts: { name, description: `a ${name}`, reason: 'It is here.' } });
}

function progress(worker: FakeWorker, run: number, label: string): void {
  const value = { label, fraction: 0.5, expectedSeconds: null };
  worker.say({ type: 'event', run, event: { name: 'progress', value } });
}

const fullRun = { queryStates: Float32Array.of(1, 2), generated: [3] };
const labels = (values: unknown[]): string[] =>
  values.map((value) => (value as { label: string }).label).filter((label) => label !== '');

describe('workers', () => {
  test('a GPU has one, for both parts of a study', () => {
    const { client, workers, named } = openClient();
    expect(workers[0]!.heard).toMatchObject([{ type: 'start', backend: 'auto', page: 'http://page/' }]);
    client.run(spec(1));
    expect(workers[0]!.of('run'), 'no study before there is a backend').toEqual([]);
    start(workers[0]!, 'webgpu');
    expect(workers).toHaveLength(1);
    expect(workers[0]!.of('run')).toMatchObject([{ spec: spec(1), parts: ['probe', 'free'] }]);
    expect(named('backend')).toMatchObject([{ name: 'webgpu' }]);
  });

  test('the CPU has a second for the free run, which is handed full attention’s result', () => {
    const { client, workers, named } = openClient();
    start(workers[0]!, 'cpu');
    client.run(spec(1));
    expect(workers).toHaveLength(2);
    expect(workers[1]!.heard[0]).toMatchObject({ type: 'start', backend: 'cpu', page: 'http://page/' });
    start(workers[1]!, 'cpu');
    expect(named('backend'), 'the page hears of one backend').toHaveLength(1);
    expect(workers.map((worker) => worker.of('run').map(({ parts }) => parts))).toEqual([
      [['probe']],
      [['free']],
    ]);
    const { run } = workers[0]!;
    expect(workers[1]!.run).toBe(run);
    workers[0]!.say({ type: 'full', run, full: fullRun });
    expect(workers[1]!.of('full')).toEqual([{ type: 'full', run, full: fullRun }]);
    expect(workers[0]!.of('full')).toEqual([]);
    client.run(spec(2));
    workers[0]!.say({ type: 'full', run, full: fullRun });
    expect(workers[1]!.of('full'), 'not the result of an overtaken run').toHaveLength(1);
  });

  test('the layer and head in view are told before the study', () => {
    const { client, workers } = openClient();
    client.look(3, 5);
    start(workers[0]!, 'webgpu');
    client.run(spec(1));
    const types = workers[0]!.heard.map(({ type }) => type);
    expect(types.lastIndexOf('look')).toBe(types.indexOf('run') - 1);
    expect(workers[0]!.of('look').at(-1)).toEqual({ type: 'look', layer: 3, head: 5 });
  });

  test('dispose ends all of them and lets go of who waits', async () => {
    const { client, workers } = openClient();
    start(workers[0]!, 'cpu');
    const row = client.ask('row', { layer: 0, head: 0, query: 0 });
    client.dispose();
    expect(workers.map(({ isTerminated }) => isTerminated)).toEqual([true, true]);
    await expect(row).rejects.toSatisfy(isUserError);
    await expect(client.ask('row', { layer: 0, head: 0, query: 1 })).rejects.toSatisfy(isUserError);
    client.look(1, 1);
  });
});

describe('events', () => {
  test('of an overtaken run are dropped', () => {
    const { client, workers, named } = openClient();
    start(workers[0]!, 'webgpu');
    client.run(spec(1));
    const first = workers[0]!.run;
    progress(workers[0]!, first, 'of the first');
    client.run(spec(2));
    const second = workers[0]!.run;
    expect(second).not.toBe(first);
    progress(workers[0]!, first, 'late');
    workers[0]!.say({ type: 'event', run: first, event: { name: 'failed', value: 'Late failure.' } });
    workers[0]!.say({ type: 'ended', run: first });
    progress(workers[0]!, second, 'of the second');
    expect(labels(named('progress'))).toEqual(['of the first', 'of the second']);
    expect(named('failed')).toEqual([]);
    expect(named('idle')).toEqual([]);
    workers[0]!.say({ type: 'ended', run: second });
    expect(named('idle'), 'time is measured first').toEqual([]);
    workers[0]!.say({ type: 'ended', run: second });
    expect(named('idle')).toHaveLength(1);
  });

  test('idle comes once every part has ended', () => {
    const { client, workers, named } = openClient();
    start(workers[0]!, 'cpu');
    client.run(spec(1));
    const { run } = workers[0]!;
    workers[1]!.say({ type: 'ended', run });
    expect(named('idle')).toEqual([]);
    workers[0]!.say({ type: 'ended', run });
    expect(named('idle'), 'time is measured first').toEqual([]);
    workers[0]!.say({ type: 'ended', run });
    expect(named('idle')).toHaveLength(1);
    expect(named('progress').at(-1)).toEqual({ label: '', fraction: 1, expectedSeconds: null });
    client.run(spec(2));
    workers[0]!.say({ type: 'ended', run: workers[0]!.run });
    expect(named('idle'), 'counted anew for each study').toHaveLength(1);
  });

  describe('after a study', () => {
    /** A study on the CPU that is done, its free run within so many milliseconds. */
    function done(freeRun: number) {
      const opened = openClient();
      start(opened.workers[0]!, 'cpu');
      opened.client.run({ ...spec(1), method: { id: 'random', parameters: {} } });
      const [probe, free] = opened.workers;
      const { run } = probe!;
      free!.say({ type: 'event', run, event: { name: 'timing', value: { freeRun } } });
      probe!.say({ type: 'ended', run });
      expect(probe!.of('run'), 'only when nothing else runs').toHaveLength(1);
      free!.say({ type: 'ended', run });
      return { ...opened, probe, free, run };
    }
    const partsOf = (worker: FakeWorker) => worker.of('run').flatMap(({ parts }) => parts);

    test('time is measured where full attention is at hand, then answers run where the free runs do', () => {
      const { probe, free, run, named, client } = done(500);
      expect(probe!.of('run').at(-1)).toMatchObject({ parts: ['time'], timeUnlimited: false });
      expect(free!.of('run')).toHaveLength(1);
      const answers = { method: { id: 'random', parameters: {} }, rights: [], done: 0, total: 12 };
      probe!.say({ type: 'event', run, event: { name: 'timed', value: null } });
      probe!.say({ type: 'ended', run });
      expect(named('timed')).toEqual([null]);
      expect(named('idle')).toHaveLength(1);
      expect(free!.of('run').at(-1)).toMatchObject({
        parts: ['answers'],
        answersOf: [{ id: 'random', parameters: {} }],
      });
      free!.say({ type: 'event', run, event: { name: 'answered', value: answers } });
      expect(named('answered')).toEqual([answers]);
      client.run(spec(2));
      expect(named('answersEnded'), 'a change ends them').toHaveLength(1);
      free!.say({ type: 'event', run, event: { name: 'answered', value: answers } });
      expect(named('answered')).toHaveLength(1);
      expect(named('idle')).toHaveLength(1);
    });

    test('answers that would take minutes wait to be asked for', () => {
      const { probe, free, run, client, named } = done(20_000);
      probe!.say({ type: 'ended', run });
      expect(partsOf(free!)).toEqual(['free']);
      client.answer([{ id: 'esa', parameters: {} }]);
      expect(partsOf(free!)).toEqual(['free', 'answers']);
      free!.say({ type: 'ended', run });
      expect(named('answersEnded')).toHaveLength(1);
      expect(named('idle')).toHaveLength(1);
    });

    test('a person may have time measured however long it takes: answers stop for it, and go on', () => {
      const { probe, free, run, client, named } = done(500);
      probe!.say({ type: 'ended', run });
      client.measureTime();
      expect(free!.heard.at(-1)).toEqual({ type: 'cancel' });
      expect(named('answersEnded')).toHaveLength(1);
      expect(probe!.of('run').at(-1)).toMatchObject({ parts: ['time'], timeUnlimited: true });
      free!.say({ type: 'ended', run });
      expect(named('idle'), 'the answers that were stopped are not what has ended').toHaveLength(1);
      probe!.say({ type: 'ended', run: probe!.run });
      expect(named('idle')).toHaveLength(2);
      expect(partsOf(free!)).toEqual(['free', 'answers', 'answers']);
    });

    test('nothing follows a study that failed or was cancelled', () => {
      const { workers, client, named } = openClient();
      start(workers[0]!, 'webgpu');
      client.run(spec(1));
      const { run } = workers[0]!;
      client.cancel();
      workers[0]!.say({ type: 'ended', run });
      expect(partsOf(workers[0]!)).toEqual(['probe', 'free']);
      expect(named('idle')).toHaveLength(1);
      expect(client.measureTime()).toBe(false);
      expect(client.answer([])).toBe(false);
      expect(partsOf(workers[0]!)).toEqual(['probe', 'free']);
    });
  });

  test('a failure of the probe run ends the study, one of the free run does not', () => {
    const { client, workers, named } = openClient();
    start(workers[0]!, 'cpu');
    client.run(spec(1));
    const { run } = workers[0]!;
    workers[1]!.say({ type: 'event', run, event: { name: 'failed', value: 'The free run failed.' } });
    workers[1]!.say({ type: 'ended', run });
    expect(named('idle')).toEqual([]);
    workers[0]!.say({ type: 'event', run, event: { name: 'failed', value: 'The text is empty.' } });
    expect(named('failed')).toEqual(['The free run failed.', 'The text is empty.']);
    expect(named('idle')).toHaveLength(1);
    expect(workers.map((worker) => worker.of('cancel').length)).toEqual([1, 1]);
    workers[0]!.say({ type: 'ended', run });
    progress(workers[1]!, run, 'late');
    expect(named('idle')).toHaveLength(1);
    expect(labels(named('progress'))).toEqual([]);
  });

  test('cancel stops every worker, and the page rests', () => {
    const { client, workers, named } = openClient();
    start(workers[0]!, 'cpu');
    client.run(spec(1));
    const { run } = workers[0]!;
    client.cancel();
    expect(workers.map((worker) => worker.of('cancel').length)).toEqual([1, 1]);
    expect(named('idle')).toHaveLength(1);
    progress(workers[0]!, run, 'late');
    workers[0]!.say({ type: 'ended', run });
    workers[1]!.say({ type: 'ended', run });
    expect(labels(named('progress'))).toEqual([]);
    expect(named('idle')).toHaveLength(1);
    client.run(spec(2));
    expect(workers[0]!.of('run').at(-1)).toMatchObject({ spec: spec(2) });
  });

  test('a study that was cancelled before there was a backend does not start', () => {
    const { client, workers } = openClient();
    client.run(spec(1));
    client.cancel();
    start(workers[0]!, 'webgpu');
    expect(workers[0]!.of('run')).toEqual([]);
  });
});

describe('a device that is lost', () => {
  const lose = (worker: FakeWorker): void => worker.say({ type: 'lost', sentence: 'The GPU was reset.' });

  test('restarts once with the same study, then the CPU takes over, then it is said', async () => {
    const { client, workers, named } = openClient();
    start(workers[0]!, 'webgpu');
    client.run(spec(4));
    const tile = client.ask('attention', { text: '', work: [] }, new AbortController().signal);
    lose(workers[0]!);
    await expect(tile).rejects.toSatisfy(isUserError);
    expect(workers).toHaveLength(2);
    expect(workers[0]!.isTerminated).toBe(true);
    expect(workers[1]!.heard).toMatchObject([{ type: 'start', backend: 'auto', page: 'http://page/' }]);
    start(workers[1]!, 'webgpu');
    expect(workers[1]!.of('run')).toMatchObject([{ spec: spec(4), parts: ['probe', 'free'] }]);

    lose(workers[1]!);
    expect(workers[2]!.heard).toMatchObject([{ type: 'start', backend: 'cpu', page: 'http://page/' }]);
    start(workers[2]!, 'cpu');
    expect(workers).toHaveLength(4);
    expect(workers[2]!.of('run')).toMatchObject([{ spec: spec(4), parts: ['probe'] }]);
    expect(workers[3]!.of('run')).toMatchObject([{ spec: spec(4), parts: ['free'] }]);
    expect(named('backend').map((facts) => (facts as { name: string }).name)).toEqual([
      'webgpu',
      'webgpu',
      'cpu',
    ]);
    expect(named('failed')).toEqual([]);
    expect(named('idle')).toEqual([]);

    lose(workers[2]!);
    expect(workers).toHaveLength(4);
    expect(workers.every(({ isTerminated }) => isTerminated)).toBe(true);
    expect(named('failed')).toEqual(['The GPU was reset.']);
    expect(named('idle')).toHaveLength(1);
  });

  test('that was asked for by name restarts as such', () => {
    const { workers } = openClient('webgpu');
    start(workers[0]!, 'webgpu');
    lose(workers[0]!);
    expect(workers[1]!.heard).toMatchObject([{ type: 'start', backend: 'webgpu', page: 'http://page/' }]);
  });

  test('finishes its study on the one after it', () => {
    const { client, workers, named } = openClient();
    start(workers[0]!, 'webgpu');
    client.run(spec(1));
    lose(workers[0]!);
    start(workers[1]!, 'webgpu');
    workers[1]!.say({ type: 'ended', run: workers[1]!.run });
    workers[1]!.say({ type: 'ended', run: workers[1]!.run });
    expect(named('idle')).toHaveLength(1);
  });

  test('a worker that cannot start fails with a sentence, and the next study tries again', async () => {
    const { client, workers, named } = openClient('cpu');
    client.run(spec(1));
    let isPrevented = false;
    workers[0]!.onerror?.({ message: 'no such script', preventDefault: () => (isPrevented = true) });
    expect(isPrevented).toBe(true);
    expect(named('failed')).toEqual(['The engine stopped: no such script.']);
    expect(named('idle')).toHaveLength(1);
    await expect(client.ask('row', { layer: 0, head: 0, query: 0 })).rejects.toThrow('reload the page');
    client.run(spec(2));
    expect(workers).toHaveLength(2);
    start(workers[1]!, 'cpu');
    expect(workers[1]!.of('run')).toMatchObject([{ spec: spec(2) }]);
  });
});

describe('pictures', () => {
  const request = (layer: number): AttentionRequest => ({
    text: 'a text',
    work: [{ ...{ layer, head: 0, level: 0, row: 0, column: 0 }, lineStart: 0, lineEnd: 1, rowStep: 1 }],
  });
  const reply = (layer: number): AttentionReply => {
    const pixels = Float32Array.of(layer, 0, 0, 0);
    return { lines: [{ maximum: pixels, mean: pixels, excess: pixels }], milliseconds: 1 };
  };
  const { signal } = new AbortController();

  test('each goes to who asked for it, in whatever order they come', async () => {
    const { client, workers } = openClient();
    start(workers[0]!, 'cpu');
    const tiles = [client.ask('attention', request(0), signal), client.ask('attention', request(1), signal)];
    const row = client.ask('row', { layer: 2, head: 3, query: 4 });
    const asked = workers[0]!.of('attention');
    expect(asked.map((message) => message.request)).toEqual([request(0), request(1)]);
    expect(workers[0]!.of('row')).toMatchObject([{ request: { layer: 2, head: 3, query: 4 } }]);
    expect(workers[1]!.heard.filter(({ type }) => type === 'attention' || type === 'row')).toEqual([]);
    const wanted = { layer: 2, head: 3, query: 4, firstWeight: 0.5 } as QueryRow;
    workers[0]!.say({ type: 'reply', id: workers[0]!.of('row')[0]!.id, value: wanted });
    workers[0]!.say({ type: 'reply', id: asked[1]!.id, value: reply(1) });
    workers[0]!.say({ type: 'reply', id: asked[0]!.id, value: reply(0) });
    expect(await Promise.all(tiles)).toEqual([reply(0), reply(1)]);
    expect(await row).toEqual(wanted);
  });

  test('a refusal reaches its caller as a sentence, and nobody else', async () => {
    const { client, workers } = openClient();
    start(workers[0]!, 'webgpu');
    const [refused, granted] = [
      client.ask('attention', request(0), signal),
      client.ask('attention', request(1), signal),
    ];
    const [first, second] = workers[0]!.of('attention');
    workers[0]!.say({ type: 'refused', id: first!.id, sentence: 'The text is not read yet.' });
    workers[0]!.say({ type: 'reply', id: second!.id, value: reply(1) });
    await expect(refused).rejects.toMatchObject({ name: 'UserError', message: 'The text is not read yet.' });
    expect(await granted).toEqual(reply(1));
    workers[0]!.say({ type: 'reply', id: 999, value: reply(1) });
  });

  test('what is no longer wanted is dropped in the worker, too, and a late reply is nobody’s', async () => {
    const { client, workers } = openClient();
    start(workers[0]!, 'webgpu');
    const controller = new AbortController();
    const dropped = client.ask('attention', request(0), controller.signal);
    const { id } = workers[0]!.of('attention')[0]!;
    controller.abort(new Error('out of view'));
    await expect(dropped).rejects.toThrow('out of view');
    expect(workers[0]!.of('drop')).toEqual([{ type: 'drop', id }]);
    workers[0]!.say({ type: 'reply', id, value: reply(0) });
    const row = client.ask('row', { layer: 0, head: 0, query: 0 });
    workers[0]!.say({ type: 'reply', id: workers[0]!.of('row')[0]!.id, value: {} as QueryRow });
    await row;
  });
});
