import type { Ops } from '../../gpu/ops';
import { headMajorRows, matrixRows, type Rows, tokenMajorRows } from '../../gpu/rows';
import { floats, type KernelCase } from './case';

/** Element-wise operations on [rows, width]. */
function elementCase(
  name: string,
  flopsPerElement: number,
  buffers: number,
  encode: (ops: Ops, input: Rows, other: Rows, out: Rows) => void,
): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, { rows, width }) {
      const elements = rows * width;
      const [input, other] = [1, 2].map((seed) => matrixRows(floats(ops, elements, seed), rows, width));
      const out = matrixRows(ops.allocate('f32', elements, 'out'), rows, width);
      return {
        size: `${rows} × ${width}`,
        flops: flopsPerElement * elements,
        bytes: 4 * buffers * elements,
        out: out.buffer,
        encode: () => encode(ops, input!, other!, out),
      };
    },
  };
}

export const elementCases: readonly KernelCase[] = [
  elementCase('normalize', 4, 3, (ops, input, weight, out) =>
    ops.normalize({ kind: 'rms', input, weight: weight.buffer, epsilon: 1e-5, out }),
  ),
  elementCase('gate', 6, 3, (ops, gate, up, out) => ops.gate({ gate, up, out })),
  elementCase('activate', 10, 2, (ops, input, _, out) => ops.activate({ kind: 'gelu', input, out })),
  elementCase('copyRows', 0, 2, (ops, input, _, out) => ops.copyRows({ input, out })),
  {
    name: 'rotate',
    tolerance: 1e-5,
    prepare(ops, { rows, heads, channels }) {
      const f = channels / 2;
      const input = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
      const out = { ...input, buffer: ops.allocate('f32', input.buffer.length, 'out') };
      const [cosine, sine] = [2, 3].map((seed) => floats(ops, rows * f, seed));
      const table = { cosine: cosine!, sine: sine!, positions: rows, frequencies: f, scale: 1 };
      return {
        size: `${heads} heads, ${rows} × ${channels}`,
        flops: 3 * heads * rows * channels,
        bytes: 4 * rows * channels * (2 * heads + 1),
        out: out.buffer,
        encode: () => ops.rotate({ input, table, positions: { start: 0, step: 1 }, out }),
      };
    },
  },
  {
    name: 'sumHeads',
    tolerance: 1e-5,
    prepare(ops, { rows, heads, groups, channels }) {
      const input = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
      const out = headMajorRows(ops.allocate('f32', groups * rows * channels, 'out'), groups, rows, channels);
      return {
        size: `${heads} to ${groups} heads, ${rows} × ${channels}`,
        flops: heads * rows * channels,
        bytes: 4 * rows * channels * (heads + groups),
        out: out.buffer,
        encode: () => ops.sumHeads({ input, out }),
      };
    },
  },
  {
    name: 'gatherRows',
    tolerance: 0,
    prepare(ops, { rows, keys, width }) {
      const table = matrixRows(floats(ops, keys * width, 1), keys, width);
      const indices = ops.upload(
        Uint32Array.from({ length: rows }, (_, i) => (i * 37) % keys),
        'indices',
      );
      const out = matrixRows(ops.allocate('f32', rows * width, 'out'), rows, width);
      return {
        size: `${rows} of ${keys} × ${width}`,
        flops: 0,
        bytes: 8 * rows * width,
        out: out.buffer,
        encode: () => ops.gatherRows({ table, indices, indexOffset: 0, out }),
      };
    },
  },
  {
    name: 'argmax',
    tolerance: 0,
    prepare(ops, { rows, keys }) {
      const input = matrixRows(floats(ops, rows * keys, 1), rows, keys);
      const out = ops.allocate('u32', rows, 'out');
      return {
        size: `${rows} × ${keys}`,
        flops: 0,
        bytes: 4 * rows * keys,
        out,
        encode: () => ops.argmax({ input, out, outOffset: 0 }),
      };
    },
  },
];
