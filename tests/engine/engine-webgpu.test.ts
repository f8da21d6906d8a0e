import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { createWebGpuOps } from '../../gpu/webgpu';
import { Engine } from '../../src/engine/engine';
import type { StudyEnvironment } from '../../src/engine/environment';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { StudySpec } from '../../src/study/spec';
import { describeWebGpu } from '../webgpu-node';

const environment: StudyEnvironment = {
  modelFolder: () => nodeFolder('samples/model'),
  sampleTexts: async () => [
    { id: 'short', title: 'Short', text: await readFile('samples/texts/short.txt', 'utf8') },
  ],
};

const study = (tokens: number, selectedTokens: number): StudySpec => ({
  model: 'bundled',
  source: { kind: 'sample', sample: 'short', tokens },
  method: {
    id: 'esa',
    parameters: { initTokens: 2, localTokens: 8, chunkTokens: 8, selectedTokens },
  },
  pinned: [],
  queriesStart: tokens - 2,
  startToken: null,
});

describeWebGpu('studies on one device', (gpu) => {
  it('leave no buffers behind: neither the text before, nor what was remembered of it', async () => {
    const ops = await createWebGpuOps({ device: gpu.device });
    const engine = new Engine(ops, environment);
    const bytesAfter = async (spec: StudySpec): Promise<number> => {
      const { signal } = new AbortController();
      await engine.run({ spec, parts: ['probe'], signal, emit() {}, onFull() {}, full: null });
      return ops.memory().bytes;
    };
    const short = await bytesAfter(study(24, 4));
    const long = await bytesAfter(study(40, 4));
    expect(long).toBeGreaterThan(short);
    // Not so many that a block keeps its whole middle: it then lists the first tokens, which the text remembers.
    expect(await bytesAfter(study(40, 5)), 'another budget remembers nothing new').toBe(long);
    expect(await bytesAfter(study(24, 4))).toBe(short);
    ops.destroy();
  }, 180_000);
});
