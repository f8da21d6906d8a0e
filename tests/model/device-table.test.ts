import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readWeights } from '../../src/model/architectures/weights';
import { createDecoder } from '../../src/model/decoder/decoder';
import { rowsOfParts } from '../../src/model/decoder/device-table';
import { forward } from '../../src/model/decoder/forward';
import { describeWebGpu } from '../webgpu-node';
import { fileJson, fixtureTensors } from './files';

describe('the rows of a table’s parts', () => {
  test('are all in one where that is allowed', () => {
    expect(rowsOfParts(128, 64, 128 * 64 * 4)).toEqual([128]);
    expect(rowsOfParts(49_152, 576, 2 ** 27)).toEqual([49_152]);
  });

  test('leave room for a row of zeros where there are several', () => {
    expect(rowsOfParts(128, 64, 127 * 64 * 4)).toEqual([126, 2]);
    expect(rowsOfParts(9, 4, 4 * 4 * 4)).toEqual([3, 3, 3]);
    const parts = rowsOfParts(151_936, 896, 2 ** 27);
    expect(parts).toHaveLength(5);
    for (const rows of parts) expect((rows + 1) * 896 * 4).toBeLessThanOrEqual(2 ** 27);
    expect(parts.reduce((sum, rows) => sum + rows, 0)).toBe(151_936);
  });
});

/** `ops` as if no buffer of a table could be larger. */
const allowing = (ops: Ops, bufferBytes: number): Ops => ({
  ...ops,
  memoryLimits: { ...ops.memoryLimits, bufferBytes },
});

function cutTablesAgree(open: () => Promise<Ops> | Ops): void {
  test.each([
    ['llama-gqa', 128 * 64 * 4 - 4],
    ['llama-gqa', 10 * 64 * 4],
    ['gpt2', 40 * 64 * 4],
  ])('%s reads and answers the same with tables cut to buffers of %i bytes', async (name, bufferBytes) => {
    const ops = await open();
    const config = await parseConfig(fileJson(`tests/fixtures/${name}/config.json`));
    const weights = await readWeights(fixtureTensors(`${name}/model.safetensors`), config);
    // The first and last token of every part, and those beside them.
    const ids = Uint32Array.from([0, 1, 7, 8, 9, 10, 16, 17, 18, 38, 39, 40, 125, 126, 127, 127, 0]);
    const whole = await createDecoder(ops, config, weights);
    const cut = await createDecoder(allowing(ops, bufferBytes), config, weights);
    expect(whole.weights.embedding.parts).toHaveLength(1);
    expect(cut.weights.embedding.parts.length).toBeGreaterThan(1);
    const [expected, actual] = [await forward(whole, ids), await forward(cut, ids)];
    expect(actual.hidden[0]).toEqual(expected.hidden[0]);
    const largest = expected.logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = expected.logits.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - actual.logits[i]!)),
      0,
    );
    expect(largest).toBeGreaterThan(0);
    expect(worst / largest).toBeLessThan(1e-5);
    for (const { reader } of [expected, actual]) reader.release();
    whole.release();
    cut.release();
    ops.destroy();
  });
}

describe('on the CPU', () => cutTablesAgree(() => createCpuOps()));

describeWebGpu('on WebGPU', (gpu) => cutTablesAgree(() => createWebGpuOps({ device: gpu.device })));
