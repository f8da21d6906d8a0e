/** What a capture brings for methods reaches them through their context, and is refused in a sentence where it is missing. */
import { afterAll, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { UserError } from '../../src/base/user-error';
import { methodContext } from '../../src/measure/trace-run';
import { neededOutputWeight, neededTensor } from '../../src/methods/injected';
import { readCapture } from '../../src/model/capture/capture';
import { readSafetensors } from '../../src/model/files/safetensors';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { fixtureText } from './fixture';
import { randomLayers, recordText } from './recorded';

const ops = createCpuOps();
afterAll(() => ops.destroy());

it('is a sketch, labels and the output projection of each layer', () => {
  const context = methodContext(fixtureText(ops), 192);
  for (const layer of [0, 3]) {
    expect(neededTensor('compactor', context, 'sketch', layer).shape).toEqual([2, 16, 12]);
    const { values } = neededTensor('squeezed-attention', context, 'cluster_labels', layer);
    expect([values.length, Math.max(...values)]).toEqual([2 * 168, 19]);
    expect(neededTensor('squeezed-attention', context, 'coarse_labels', layer).shape).toEqual([2, 20]);
    expect(neededOutputWeight('criticalkv', context, layer).channels).toBe(64);
  }
});

it('is refused by name and layer where the text brings none', () => {
  const shape = { tokens: 8, queryHeads: 2, keyValueHeads: 1, headDimension: 4 };
  const context = methodContext(recordText(ops, shape, randomLayers(shape, 1, 1)), 8);
  expect(() => neededTensor('compactor', context, 'sketch', 0)).toThrow(UserError);
  expect(() => neededTensor('compactor', context, 'sketch', 0)).toThrow(
    'compactor needs sketch.0, which this text does not bring; add it to the capture or change the parameters.',
  );
  expect(() => neededOutputWeight('criticalkv', context, 0)).toThrow('criticalkv needs output_projection.0');
});

it('comes from the file of a capture', async () => {
  const rows = (heads: number, channels: number) => ({
    ...{ dtype: 'F32' as const, shape: [heads, 3, channels] },
    data: new Float32Array(heads * 3 * channels).fill(0.5),
  });
  const file = writeSafetensors(
    {
      ...{ 'query.0': rows(2, 4), 'key.0': rows(1, 4), 'value.0': rows(1, 4) },
      'output_projection.0': {
        dtype: 'F32',
        shape: [5, 8],
        data: Float32Array.from({ length: 40 }, (_, i) => i),
      },
      'cluster_labels.0': { dtype: 'I32', shape: [1, 3], data: Int32Array.of(1, 0, 1) },
    },
    { format: 'keyhole-capture-1' },
  );
  const text = await traceOfCapture(ops, await readCapture(readSafetensors(file)));
  const context = methodContext(text, 3);
  const weight = neededOutputWeight('criticalkv', context, 0);
  expect([weight.rows, weight.channels]).toEqual([5, 8]);
  expect([...(await ops.readFloats(weight.buffer))]).toEqual(Array.from({ length: 40 }, (_, i) => i));
  expect([...neededTensor('squeezed-attention', context, 'cluster_labels', 0).values]).toEqual([1, 0, 1]);
  text.release();
});
