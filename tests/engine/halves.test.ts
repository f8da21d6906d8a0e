/** Weights that stay in 16 bits, as their files have them. */
import { expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { plannedBytes, weightBuffers } from '../../src/engine/memory/buffers';
import { openModel } from '../../src/engine/open-model';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { forward } from '../../src/model/decoder/forward';
import { bytesInMemory } from '../../src/model/files/file-bytes';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import type { ModelFolder } from '../../src/model/load';
import { openAs, quicklyCompiled } from '../gpu/webgpu/both';
import { fileBytes, fileJson, fixtureTensors } from '../model/files';
import { describeWebGpu } from '../webgpu-node';

const ids = Uint32Array.from({ length: 24 }, (_, i) => (i * i * 31 + 3) % 128);

/** A fixture whose matrices are rounded to 16 bits and written so, its norms in 32. */
function inHalves(name: string, keepsOneFloat = false): ModelFolder {
  const tensors: Record<string, TensorToWrite> = {};
  const source = fixtureTensors(`${name}/model.safetensors`);
  for (const [i, tensor] of source.names().entries()) {
    const shape = source.shape(tensor);
    const isFloat = shape.length < 2 || (keepsOneFloat && i === 0);
    tensors[tensor] = { dtype: isFloat ? 'F32' : 'F16', shape, data: source.float32(tensor) };
  }
  const files: Record<string, Uint8Array<ArrayBuffer>> = {
    'config.json': new Uint8Array(fileBytes(`tests/fixtures/${name}/config.json`)),
    'model.safetensors': writeSafetensors(tensors),
  };
  return { name, open: async (path) => (files[path] ? bytesInMemory(path, files[path]) : null) };
}

async function logits(ops: Ops, folder: ModelFolder, tokens = 24) {
  const before = ops.memory().bytes;
  const { decoder, config } = await openModel(ops, folder);
  const bytes = ops.memory().bytes - before;
  expect(bytes, 'as planned').toBe(plannedBytes(weightBuffers(config, ops.memoryLimits), ops.memoryLimits));
  const result = await forward(decoder, ids.subarray(0, tokens));
  result.reader.release();
  decoder.release();
  return { logits: result.logits, bytes, weightType: config.weightType };
}

test.each(['llama-gqa', 'gpt2'])('%s: the same numbers from half the memory', async (name) => {
  const floats = await logits(createCpuOps(), inHalves(name));
  const halves = await logits({ ...createCpuOps(), readsHalves: true }, inHalves(name));
  expect([floats.weightType, halves.weightType]).toEqual([undefined, 'f16']);
  expect(halves.logits).toEqual(floats.logits);
  expect(halves.bytes / floats.bytes).toBeLessThan(0.52);
});

test('on a device that would be slower for it only where floats would take more than a quarter of its memory', async () => {
  const { bytes } = await logits(createCpuOps(), inHalves('llama-gqa'));
  const tight = await logits(createCpuOps({ memoryBytes: 3.9 * bytes }), inHalves('llama-gqa'));
  expect(tight.weightType).toBe('f16');
});

test('not where some matrix has 32 bits', async () => {
  const mixed = await logits({ ...createCpuOps(), readsHalves: true }, inHalves('llama-gqa', true));
  expect(mixed.weightType).toBeUndefined();
});

test.each([
  [{ dtype: 'bfloat16' }, 'bf16'],
  [{ torch_dtype: 'float16' }, 'f16'],
  [{ dtype: 'float32' }, undefined],
  [{}, undefined],
])('config.json with %o tells to expect %s', async (said, weightType) => {
  const settings = fileJson('tests/fixtures/llama-gqa/config.json') as object;
  const { dtype: _, torch_dtype: _old, ...others } = settings as Record<string, unknown>;
  expect((await parseConfig({ ...others, ...said })).weightType).toBe(weightType);
});

test('are not refused for what their config.json leaves out, where they fit as their files have them', async () => {
  const { bytes } = await logits({ ...createCpuOps(), readsHalves: true }, inHalves('llama-gqa'));
  const tight = { ...createCpuOps({ memoryBytes: 1.2 * bytes }), readsHalves: true };
  const { decoder, config } = await openModel(tight, inHalves('llama-gqa'));
  expect(config.weightType).toBe('f16');
  decoder.release();
});

describeWebGpu('on a GPU', (gpu) => {
  test('the numbers of the CPU', async () => {
    const ops = await openAs(gpu, quicklyCompiled);
    expect(ops.readsHalves).toBe(true);
    const [found, wanted] = [
      await logits(ops, inHalves('llama-gqa'), 8),
      await logits(createCpuOps(), inHalves('llama-gqa'), 8),
    ];
    expect(found.weightType).toBe('f16');
    const largest = wanted.logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = wanted.logits.reduce((most, v, i) => Math.max(most, Math.abs(v - found.logits[i]!)), 0);
    expect(worst / largest).toBeLessThan(1e-5);
    ops.destroy();
  });
});
