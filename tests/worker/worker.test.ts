import { readFile } from 'node:fs/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import type { StudyEnvironment } from '../../src/engine/environment';
import type { FullRun } from '../../src/engine/events';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { StudySpec } from '../../src/study/spec';
import type { FromWorker, ToWorker } from '../../src/worker/protocol';

/** The GPU that the worker finds: the CPU's operations, lost when a test says so. */
const gpu = vi.hoisted(() => ({
  open: (_options: { onLost(message: string): void }): Promise<unknown> =>
    Promise.reject(new Error('no GPU')),
}));
vi.mock('../../gpu/webgpu', () => ({
  createWebGpuOps: (options: Parameters<typeof gpu.open>[0]) => gpu.open(options),
}));
vi.mock('../../src/worker/environment', () => ({
  webEnvironment: (): StudyEnvironment => ({
    modelFolder: () => nodeFolder('samples/model'),
    sampleTexts: async () => [
      { id: 'short', title: 'Short', text: await readFile('samples/texts/short.txt', 'utf8') },
    ],
  }),
}));

const spec = (tokens: number): StudySpec => ({
  model: 'bundled',
  source: { kind: 'sample', sample: 'short', tokens },
  method: { id: 'streaming-llm', parameters: { keepFraction: 0.25 } },
  pinned: [],
  queriesStart: null,
  startToken: null,
});

let posted: FromWorker[];
let say: (message: ToWorker) => void;
beforeEach(async () => {
  posted = [];
  vi.resetModules();
  vi.stubGlobal('postMessage', (message: FromWorker) => posted.push(structuredClone(message)));
  vi.stubGlobal('addEventListener', (_: string, listen: (event: { data: ToWorker }) => void) => {
    say = (data) => listen({ data });
  });
  await import('../../src/worker/worker');
});

const of = <Type extends FromWorker['type']>(type: Type) =>
  posted.filter((message): message is Extract<FromWorker, { type: Type }> => message.type === type);
const until = (isThere: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(isThere()).toBe(true), { timeout: 20_000, interval: 5 });
const ended = (run: number) => until(() => of('ended').some((message) => message.run === run));

test('runs a study, and gives pictures of it to who asks', async () => {
  say({ type: 'attention', id: 7, request: {} as never });
  await until(() => of('refused').length > 0);
  expect(of('refused')[0]).toMatchObject({ id: 7, sentence: expect.stringContaining('still starting') });
  say({ type: 'start', backend: 'cpu', page: 'http://page/', life: null });
  await until(() => of('started').length > 0);
  say({ type: 'run', run: 1, spec: spec(48), parts: ['probe', 'free'] });
  await ended(1);
  const names = of('event').map(({ event }) => event.name);
  expect(names).toEqual(expect.arrayContaining(['model', 'text', 'textRead', 'selectionReady']));
  expect(names).not.toContain('failed');
  expect(of('full'), 'the free run is done here').toEqual([]);
  say({ type: 'row', id: 8, request: { layer: 1, head: 2, query: 40 } });
  say({ type: 'row', id: 9, request: { layer: 1, head: 2, query: 48 } });
  await until(() => of('reply').length + of('refused').length === 3);
  expect(of('reply')).toMatchObject([{ id: 8, value: { layer: 1, head: 2, query: 40 } }]);
  expect(of('refused')[1]).toMatchObject({ id: 9, sentence: expect.stringContaining('tokens to 47') });
});

test('says nothing more of a run that is overtaken, not even that it ended', async () => {
  say({ type: 'start', backend: 'cpu', page: 'http://page/', life: null });
  await until(() => of('started').length > 0);
  say({ type: 'run', run: 1, spec: spec(200), parts: ['probe'] });
  await until(() => of('event').length > 0);
  say({ type: 'run', run: 2, spec: spec(40), parts: ['probe'] });
  const heard = of('event').length;
  await ended(2);
  expect(
    new Set(
      of('event')
        .slice(heard)
        .map(({ run }) => run),
    ),
  ).toEqual(new Set([2]));
  expect(of('ended')).toEqual([{ type: 'ended', run: 2 }]);
  expect(of('full').map(({ run }) => run)).toEqual([2]);
});

test('compares a free run with full attention’s result of the same run only', async () => {
  say({ type: 'start', backend: 'cpu', page: 'http://page/', life: null });
  await until(() => of('started').length > 0);
  say({ type: 'run', run: 1, spec: spec(40), parts: ['free'] });
  say({ type: 'run', run: 2, spec: spec(40), parts: ['free'] });
  const full = (value: number): FullRun => ({
    queryStates: new Float32Array(5 * 192).fill(value),
    generated: null,
  });
  say({ type: 'full', run: 1, full: full(Number.NaN) });
  say({ type: 'full', run: 2, full: full(0) });
  await ended(2);
  const { event } = of('event').filter(({ event }) => event.name === 'measured')[0]!;
  // No state at all gives equal logits everywhere: the loss of full attention is ln V.
  expect(event).toMatchObject({ value: { freeRun: { lossFullNats: expect.closeTo(Math.log(2048), 5) } } });
});

test('a failure is one sentence, and the run has ended', async () => {
  say({ type: 'start', backend: 'cpu', page: 'http://page/', life: null });
  await until(() => of('started').length > 0);
  say({ type: 'run', run: 3, spec: { ...spec(40), source: { kind: 'text', text: '' } }, parts: ['probe'] });
  await ended(3);
  expect(of('event').at(-1)).toMatchObject({ run: 3, event: { name: 'failed' } });
  expect(of('event').at(-1)?.event.value).toMatch(/^The text is empty[^\n]*\.$/);
});

test('a device that is lost while it works is reported', async () => {
  let lose = (): void => {};
  gpu.open = async ({ onLost }) => {
    lose = () => onLost('The GPU was reset.');
    return { ...createCpuOps(), backend: 'webgpu', description: 'Imaginary GPU' } satisfies Ops;
  };
  say({ type: 'start', backend: 'auto', page: 'http://page/', life: null });
  await until(() => of('started').length > 0);
  expect(of('started')[0]!.facts.name).toBe('webgpu');
  lose();
  expect(of('lost')).toEqual([{ type: 'lost', sentence: 'The GPU was reset.' }]);
});

test('a device that is lost in its self-test leaves the study to the CPU', async () => {
  gpu.open = async ({ onLost }) => ({
    ...createCpuOps(),
    attention() {
      onLost('The GPU was reset.');
      throw new Error('The GPU was reset.');
    },
  });
  say({ type: 'start', backend: 'auto', page: 'http://page/', life: null });
  await until(() => of('started').length > 0);
  expect(of('started')[0]!.facts).toMatchObject({ name: 'cpu', reason: expect.stringContaining('reset') });
  expect(of('lost')).toEqual([]);
});
