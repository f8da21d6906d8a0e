/** What refuses a study is said before its weights are asked for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { Engine } from '../../src/engine/engine';
import { httpFolder } from '../../src/model/files/folder-http';
import type { StudySpec } from '../../src/study/spec';
import { fetchFile } from '../model/fetch-file';
import { fileBytes } from '../model/files';
import { type MisbehavingServer, startServer } from './server';

const config = JSON.parse(new TextDecoder().decode(fileBytes('samples/model/config.json')));
let server: MisbehavingServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const spec = (model: string, words: number): StudySpec => ({
  model,
  source: { kind: 'text', text: 'one two three '.repeat(words / 3) },
  startToken: null,
  method: { id: 'full', parameters: {} },
  pinned: [],
  queriesStart: null,
});

async function study(from: MisbehavingServer, words: number, memoryBytes?: number): Promise<void> {
  const ops = createCpuOps(memoryBytes ? { memoryBytes } : {});
  const engine = new Engine(ops, {
    modelFolder: (name) => httpFolder(name, name, fetchFile),
    sampleTexts: async () => [],
  });
  try {
    await engine.run({
      ...{ spec: spec(from.address('sound'), words), parts: ['probe'], full: null },
      ...{ signal: new AbortController().signal, onFull() {}, emit() {} },
    });
  } finally {
    ops.destroy();
  }
}

test('a text that has no room, and the most that would have', async () => {
  await expect(study(server, 30_000, 200e6)).rejects.toThrow(/use at most [\d,]+ tokens\.$/);
  expect(server.asked).toContain('/sound/tokenizer.json');
  expect(server.asked).not.toContain('/sound/model.safetensors');
});

test('weights that have no room', async () => {
  await expect(study(server, 30, 5e6)).rejects.toThrow(
    /^The model's weights need [^\n]+; choose a smaller model\.$/,
  );
  expect(server.asked).not.toContain('/sound/model.safetensors');
});

test.each([
  ['architecture', { 'config.json': JSON.stringify({ ...config, model_type: 'mamba' }) }, /"mamba"/],
  ['tokenizer', { 'tokenizer.json': null }, /has no tokenizer\.json/],
])('another %s', async (_, patch, sentence) => {
  const other = await startServer(patch as Record<string, string | null>);
  await expect(study(other, 30)).rejects.toThrow(sentence);
  expect(other.asked).not.toContain('/sound/model.safetensors');
  await other.close();
});

test('what has room is fetched and run', async () => {
  await study(server, 30);
  expect(server.asked).toContain('/sound/model.safetensors');
});
