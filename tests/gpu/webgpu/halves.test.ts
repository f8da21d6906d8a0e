/** Weights of 16 bits: what reads them, against the same weights in 32. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { floatsOfHalves } from '../../../gpu/halves';
import type { Ops } from '../../../gpu/ops';
import { type HalfType, matrixRows, type Rows } from '../../../gpu/rows';
import { toFloat16 } from '../../../src/base/float16';
import { compare, describeBoth, inputView, outputView, randomFloats } from './both';

const types = ['f16', 'bf16'] as const;
/** Zeros of both signs, the least subnormal, the largest subnormal, the least normal, one, and numbers with all mantissa bits. */
const corners = {
  f16: [0, 0x8000, 1, 0x83ff, 0x0400, 0x3c00, 0xbfff],
  bf16: [0, 0x8000, 0x3f80, 0xbfff, 0x0080],
};

/** Rows of `channels` halves with four more between them, four before the first. */
function halves(ops: Ops, type: HalfType, rows: number, channels: number, seed: number): Rows {
  const rowStride = channels + 4;
  const floats = randomFloats(4 + rows * rowStride, seed);
  const bits =
    type === 'f16'
      ? toFloat16(floats)
      : Uint16Array.from(new Uint32Array(floats.buffer), (word) => word >>> 16);
  bits.set(corners[type].slice(0, channels), 4);
  return { ...matrixRows(ops.uploadHalves(type, bits, 'halves'), rows, channels, 4), rowStride };
}

/** The same numbers in 32 bits. */
async function floats(ops: Ops, view: Rows): Promise<Rows> {
  return { ...view, buffer: ops.upload(await ops.readFloats(view.buffer), 'floats') };
}

describeBoth('halves', (backends) => {
  it.each(types.flatMap((type) => [1, 3, 70].map((rows) => [type, rows] as const)))(
    'a weight of %s is multiplied by %i rows',
    async (type, rows) => {
      await compare(
        backends,
        (ops) => {
          const out = outputView(ops, [1, rows, 66], 'strided');
          const weight = halves(ops, type, 66, 132, 2);
          ops.matmul({ input: inputView(ops, [1, rows, 132], 'strided', 1), weight, out });
          return { out: out.buffer };
        },
        { relative: 2e-6 },
      );
    },
  );

  it.each(types)('rows of a table of %s are found, bit by bit', async (type) => {
    await compare(backends, (ops) => {
      const out = outputView(ops, [1, 5, 12], 'dense');
      const indices = ops.upload(Uint32Array.of(3, 0, 9, 1, 0), 'indices');
      ops.gatherRows({ table: halves(ops, type, 7, 12, 3), indices, indexOffset: 0, out });
      ops.gatherRows({ table: halves(ops, type, 7, 12, 4), indices, indexOffset: 0, out, accumulate: true });
      return { out: out.buffer };
    });
  });

  it.each(types)('%s are read back as the floats that they are, from anywhere', async (type) => {
    const bits = Uint16Array.from({ length: 9 }, (_, i) => corners[type][i % corners[type].length]!);
    for (const ops of Object.values(backends)) {
      const buffer = ops.uploadHalves(type, bits.subarray(1), 'halves');
      expect(buffer.length).toBe(8);
      expect(await ops.readFloats(buffer)).toEqual(floatsOfHalves(type, bits.slice(1)));
      expect(await ops.readFloats(buffer, 3, 4)).toEqual(floatsOfHalves(type, bits.slice(4, 8)));
    }
  });
});

describe.each([true, false])('on the CPU, SIMD %s', (simd) => {
  it.each(types)('%s give what their numbers in 32 bits give', async (type) => {
    const ops = createCpuOps({ simd });
    for (const rows of [1, 9]) {
      const weight = halves(ops, type, 37, 20, 5);
      const [mine, wanted] = [weight, await floats(ops, weight)].map((each) => {
        const out = outputView(ops, [1, rows, 37], 'dense');
        ops.matmul({ input: inputView(ops, [1, rows, 20], 'dense', 6), weight: each, out });
        return out.buffer;
      });
      expect(await ops.readFloats(mine!)).toEqual(await ops.readFloats(wanted!));
    }
  });
});

it('rows that are no whole vectors are refused', () => {
  const ops = createCpuOps();
  const input = inputView(ops, [1, 1, 6], 'dense', 1);
  const weight = matrixRows(ops.uploadHalves('f16', new Uint16Array(12), 'odd'), 2, 6);
  expect(() => ops.matmul({ input, weight, out: outputView(ops, [1, 1, 2], 'dense') })).toThrow(
    'weight holds f16, of which only whole vectors of four can be read',
  );
});
