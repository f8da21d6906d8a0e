import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Ops } from '../../gpu/ops';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readWeights } from '../../src/model/architectures/weights';
import { createDecoder } from '../../src/model/decoder/decoder';
import { forward, readLayer } from '../../src/model/decoder/forward';
import { readSafetensors } from '../../src/model/files/safetensors';

export const decoderFixtures = ['llama-gqa', 'qwen2-bias', 'qwen3-qknorm', 'gpt2'];

/** Runs `forward` on a fixture and compares everything with PyTorch, relative to each tensor's largest value. */
export async function checkDecoderFixture(ops: Ops, name: string, tolerance: number): Promise<void> {
  const folder = `tests/fixtures/${name}`;
  const config = await parseConfig(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')));
  const source = readSafetensors(readFileSync(`${folder}/model.safetensors`));
  const expected = readSafetensors(readFileSync(`${folder}/expected.safetensors`));
  const decoder = await createDecoder(ops, config, await readWeights(source, config));
  const ids = Uint32Array.from(expected.int32('input_ids'));
  const result = await forward(decoder, ids);
  const compare = (label: string, actual: Float32Array, wanted: Float32Array): void => {
    expect(actual.length, label).toBe(wanted.length);
    let largest = 0;
    let worst = 0;
    for (let i = 0; i < wanted.length; i++) {
      largest = Math.max(largest, Math.abs(wanted[i]!));
      worst = Math.max(worst, Math.abs(wanted[i]! - actual[i]!));
    }
    expect(largest, label).toBeGreaterThan(0);
    expect(worst / largest, `${name} ${label}, relative error`).toBeLessThan(tolerance);
  };
  compare('logits', result.logits, expected.float32('logits'));
  result.hidden.forEach((states, i) => {
    compare(`hidden.${i}`, states, expected.float32(`hidden.${i}`));
  });
  for (let l = 0; l < config.layers; l++) {
    const tensors = await readLayer(decoder, result.reader, l, ids.length);
    compare(`key.${l}`, tensors.key, expected.float32(`key.${l}`));
    compare(`value.${l}`, tensors.value, expected.float32(`value.${l}`));
  }
  result.reader.release();
  decoder.release();
}
