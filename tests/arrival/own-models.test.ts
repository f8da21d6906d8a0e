/** The page's side and a real engine, in one thread: whatever a model's server does, Cancel ends it, and the bundled model runs. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import type { StudyEnvironment } from '../../src/engine/environment';
import { type FetchFile, httpFolder } from '../../src/model/files/folder-http';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { StudyClient } from '../../src/study/client';
import type { StudySpec } from '../../src/study/spec';
import { createEngineClient } from '../../src/worker/client';
import type { FromWorker, ToWorker } from '../../src/worker/protocol';
import { type MisbehavingServer, type Mode, startServer } from './server';

// One worker for all: what a GPU would have, computed by the CPU.
vi.mock('../../gpu/webgpu', () => ({
  createWebGpuOps: async () =>
    ({ ...createCpuOps(), backend: 'webgpu', description: 'Imaginary GPU', isSoftware: false }) satisfies Ops,
}));
vi.mock('../../src/worker/environment', () => ({
  webEnvironment: (_: string, fetchFor: (model: string) => FetchFile): StudyEnvironment => ({
    modelFolder: (name) =>
      name === 'bundled' ? nodeFolder('samples/model') : httpFolder(name, name, fetchFor(name)),
    sampleTexts: async () => [
      { id: 'short', title: 'Short', text: await readFile('samples/texts/short.txt', 'utf8') },
    ],
  }),
}));

const spec = (model: string): StudySpec => ({
  model,
  source: { kind: 'sample', sample: 'short', tokens: 24 },
  startToken: null,
  method: { id: 'full', parameters: {} },
  pinned: [],
  queriesStart: null,
});

let server: MisbehavingServer;
let client: StudyClient;
const events: { name: string; value: unknown }[] = [];
/** Runs of which the worker has let go. */
let freed = 0;
const named = (name: string): unknown[] =>
  events.filter((event) => event.name === name).map(({ value }) => value);
const until = (isThere: () => boolean, timeout = 20_000): Promise<void> =>
  vi.waitFor(() => expect(isThere()).toBe(true), { timeout, interval: 5 });

beforeAll(async () => {
  server = await startServer();
  let hear: ((event: { data: ToWorker }) => void) | null = null;
  const worker = {
    onmessage: null as ((event: { data: FromWorker }) => void) | null,
    onerror: null,
    postMessage: (data: ToWorker) => setTimeout(() => hear?.({ data })),
    terminate: () => expect.unreachable('a worker that hears lets go by itself'),
  };
  vi.stubGlobal('navigator', {});
  vi.stubGlobal('addEventListener', (_: string, listen: typeof hear) => {
    hear = listen;
  });
  vi.stubGlobal('postMessage', (data: FromWorker) => {
    if (data.type === 'freed') freed++;
    setTimeout(() => worker.onmessage?.({ data }));
  });
  await import('../../src/worker/worker');
  const listener = new Proxy({} as Parameters<typeof createEngineClient>[0], {
    get: (_, name: string) => (value: unknown) => events.push({ name, value }),
  });
  client = createEngineClient(listener, {
    ...{ backend: 'webgpu', page: 'http://page/' },
    createWorker: () => worker as unknown as Worker,
  });
  await until(() => named('backend').length > 0);
}, 60_000);
afterAll(async () => {
  // What is measured after a study, too, has to end before the globals go.
  const before = freed;
  client.cancel();
  await until(() => freed > before, 2000).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 100));
  await server.close();
});

const modes: readonly Mode[] = [
  ...(['silent', 'stalls', 'endless', 'announces-more', 'announces-less', 'announces-too-much'] as const),
  ...(['breaks-off', 'slow', 'loops', 'moves', 'other-host', '401', '404', '500', 'page'] as const),
];

test.each(modes)('%s: cancelled within 2.5 seconds, and the bundled study runs', async (mode) => {
  events.length = 0;
  const before = freed;
  client.run(spec(server.address(mode)));
  await until(() => server.asked.includes(`/${mode}/model.safetensors`));
  await new Promise((resolve) => setTimeout(resolve, 100));
  const start = performance.now();
  client.cancel();
  await until(() => freed > before);
  expect(performance.now() - start).toBeLessThan(2500);
  for (const sentence of named('failed')) expect(sentence).toMatch(/^[^\n]+[^.]\.$/);
  events.length = 0;
  client.run(spec('bundled'));
  await until(() => named('measured').some((part) => (part as { layers?: unknown[] }).layers?.length === 8));
  expect(named('failed')).toEqual([]);
});

test.each([
  ['announces-less', /^model\.safetensors: tensor [^\n]+ outside the \d+ bytes of data\.$/],
  ['breaks-off', /broke off/],
  ['500', /the server answered 500/],
  ['404', /has neither model\.safetensors nor/],
] as const)('%s, left alone: one sentence', async (mode, sentence) => {
  events.length = 0;
  client.run(spec(server.address(mode)));
  await until(() => named('failed').length > 0);
  expect(named('failed')).toHaveLength(1);
  expect(named('failed')[0]).toMatch(sentence);
  expect(named('idle')).toHaveLength(1);
});

test('what is sound arrives, and how far is said', async () => {
  events.length = 0;
  client.run(spec(server.address('slow')));
  await until(() => named('measured').some((part) => (part as { layers?: unknown[] }).layers?.length === 8));
  const labels = named('progress').map((value) => (value as { label: string }).label);
  expect(labels.some((label) => /^loading http:\S+: [\d.]+ of [\d.]+ MB, \d+ %$/.test(label))).toBe(true);
});
