import { headMajorRows, matrixRows, tokenMajorRows } from '../../gpu/rows';
import { floats, type KernelCase, type Sizes } from './case';

function matmulCase(name: string, rowsOf: (sizes: Sizes) => number): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const rows = rowsOf(sizes);
      const [depth, columns] = [sizes.width, 4 * sizes.width];
      const input = matrixRows(floats(ops, rows * depth, 1), rows, depth);
      const weight = matrixRows(floats(ops, columns * depth, 2), columns, depth);
      const out = matrixRows(ops.allocate('f32', rows * columns, 'out'), rows, columns);
      return {
        size: `${rows} × ${columns} over ${depth}`,
        flops: 2 * rows * columns * depth,
        bytes: 4 * (rows * depth + columns * depth + rows * columns),
        out: out.buffer,
        encode: () => ops.matmul({ input, weight, out }),
      };
    },
  };
}

export const matmulCases: readonly KernelCase[] = [
  matmulCase('matmul', ({ rows }) => rows),
  matmulCase('matmul, one row', () => 1),
  {
    name: 'matmul per head',
    tolerance: 1e-5,
    prepare(ops, { rows, keys, heads, groups, channels }) {
      // As many centroids as a twentieth of the keys.
      const columns = Math.ceil(keys / 20);
      const input = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
      const weight = headMajorRows(floats(ops, groups * columns * channels, 2), groups, columns, channels);
      const length = heads * rows * columns;
      const out = headMajorRows(ops.allocate('f32', length, 'out'), heads, rows, columns);
      return {
        size: `${heads} of ${groups} heads, ${rows} × ${columns} over ${channels}`,
        flops: 2 * length * channels,
        bytes: 4 * (heads * rows * channels + groups * columns * channels + length),
        out: out.buffer,
        encode: () => ops.matmul({ input, weight, out }),
      };
    },
  },
];
