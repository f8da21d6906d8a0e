/** Attention and its probabilities as PyTorch computed them for a captured model (tests/fixtures/README.md). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { headMajorRows } from '../../../gpu/rows';
import { readSafetensors } from '../../../src/model/files/safetensors';
import { expectClose } from './views';

const path = new URL('../../fixtures/methods.inputs.safetensors', import.meta.url);
const capture = readSafetensors(readFileSync(path));
describe.each([createCpuOps(), createCpuOps({ simd: false })])('$description', (ops) => {
  test.each([0, 1, 2, 3])('layer %i', async (layer) => {
    const [heads, keyHeads, tokens, channels] = [4, 2, 192, 16];
    const view = (name: string, count: number) => {
      const tensor = capture.tensor(`${name}.${layer}`);
      expect(tensor.shape).toEqual([count, tokens, channels]);
      return headMajorRows(ops.upload(tensor.toFloat32(), name), count, tokens, channels);
    };
    const inputs = {
      query: view('query', heads),
      key: view('key', keyHeads),
      scale: 1 / Math.sqrt(channels),
    };
    const out = headMajorRows(ops.allocate('f32', heads * tokens * channels, 'out'), heads, tokens, channels);
    const logSumExp = { buffer: ops.allocate('f32', heads * tokens, 'λ'), offset: 0, headStride: tokens };
    const visible = { range: { start: 0, end: tokens, causal: true } };
    ops.attention({ ...inputs, value: view('value', keyHeads), visible, out, logSumExp });
    expectClose(await ops.readFloats(out.buffer), capture.tensor(`head_output.${layer}`).toFloat32(), 1e-5);

    const probabilities = ops.allocate('f32', heads * tokens * tokens, 'probabilities');
    ops.attentionProbabilities({ ...inputs, logSumExp, causalOffset: 0, out: probabilities });
    expectClose(await ops.readFloats(probabilities), capture.tensor(`attention.${layer}`).toFloat32(), 1e-5);
  });
});
