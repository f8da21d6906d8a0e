import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readSafetensors } from '../../src/model/files/safetensors';
import { parseShardIndex } from '../../src/model/files/safetensors-shards';
import { byteChanges, mutate, mutateBytes, mutations, Outcomes, settings } from './fuzz';

const types = ['F64', 'F32', 'F16', 'BF16', 'I64', 'I32', 'U8', 'BOOL', 'F8_E4M3', 'I4'];
const header = {
  __metadata__: { format: 'pt', note: 'é' },
  a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  'layers.0.b': { dtype: 'F16', shape: [4], data_offsets: [24, 32] },
  c: { dtype: 'BF16', shape: [], data_offsets: [32, 34] },
  ids: { dtype: 'I32', shape: [1], data_offsets: [36, 40] },
  gap: { dtype: 'U8', shape: [2], data_offsets: [34, 36] },
};

function file(text: string, length: number, data: number): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const out = new Uint8Array(8 + bytes.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(Math.max(0, bytes.length + length)), true);
  out.set(bytes, 8);
  return out.fill(0x3c, 8 + bytes.length);
}

const index = {
  metadata: { total_size: 12 },
  weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
};

test('a changed safetensors file gives its tensors in their shapes, or one sentence', async () => {
  const outcomes = new Outcomes('files');
  const changed = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        changes: mutations([...types, [0, 24], [24, 32], [2, 3]], ['dtype', 'shape', 'data_offsets']),
      }),
    },
    { weight: 3, arbitrary: fc.record({ bytes: byteChanges }) },
    {
      weight: 1,
      arbitrary: fc.record({
        length: fc.constantFrom(-400, -8, -1, 1, 8, 400, 2 ** 31, 2 ** 53 - 1),
        data: fc.nat(60),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        indexChanges: mutations(
          ['../x.safetensors', 'a/b.safetensors', '/etc/passwd', 'http://x/y'],
          ['weight_map'],
        ),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(changed, async (input) => {
      if ('indexChanges' in input) {
        await outcomes.of(() => parseShardIndex(mutate(index, input.indexChanges)));
        return;
      }
      const whole = file(JSON.stringify(header), 0, 40);
      const bytes =
        'bytes' in input
          ? mutateBytes(whole, input.bytes)
          : 'length' in input
            ? file(JSON.stringify(header), input.length, input.data)
            : file(JSON.stringify(mutate(header, input.changes)) ?? '', 0, 40);
      await outcomes.of(() => {
        const read = readSafetensors(bytes, 'x.safetensors');
        for (const name of read.names()) {
          const count = read.shape(name).reduce((product, size) => product * size, 1);
          let values: ArrayLike<number>;
          try {
            values = read.float32(name);
          } catch (error) {
            // Types that hold no floats are there and are not read.
            expect((error as Error).name).toBe('UserError');
            continue;
          }
          expect(values).toHaveLength(count);
        }
      });
    }),
    settings,
  );
  outcomes.end();
}, 3_600_000);
