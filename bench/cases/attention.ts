import type { Ops } from '../../gpu/ops';
import { headMajorRows, tokenMajorRows } from '../../gpu/rows';
import { floats, type KernelCase, type Sizes } from './case';

/** Query, key and a log-sum-exp that fits them; the last query sees the last key. */
export function attentionInputs(ops: Ops, sizes: Sizes, rows: number) {
  const { keys, heads, groups, channels } = sizes;
  const query = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
  const key = headMajorRows(floats(ops, groups * keys * channels, 2), groups, keys, channels);
  const value = headMajorRows(floats(ops, groups * keys * channels, 3), groups, keys, channels);
  const lse = ops.upload(new Float32Array(heads * rows).fill(Math.log(keys)), 'logSumExp');
  const pairs = heads * rows * (keys - (rows - 1) / 2);
  return {
    query,
    key,
    value,
    scale: channels ** -0.5,
    logSumExp: { buffer: lse, offset: 0, headStride: rows },
    causalOffset: keys - rows,
    pairs,
    inputBytes: 4 * channels * (heads * rows + groups * keys),
    size: `${heads} heads, ${rows} × ${keys}, d ${channels}`,
  };
}

function attentionCase(name: string, rowsOf: (sizes: Sizes) => number): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const { query, key, value, scale, logSumExp, pairs, inputBytes, size } = attentionInputs(
        ops,
        sizes,
        rowsOf(sizes),
      );
      const out = { ...query, buffer: ops.allocate('f32', query.buffer.length, 'out') };
      const visible = { range: { start: 0, end: sizes.keys, causal: true } };
      return {
        size,
        flops: 4 * pairs * sizes.channels,
        bytes: 2 * inputBytes,
        out: out.buffer,
        record: () => ops.attention({ query, key, value, scale, visible, out, logSumExp }),
      };
    },
  };
}

export const attentionCases: readonly KernelCase[] = [
  attentionCase('attention', ({ rows }) => rows),
  attentionCase('attention, one query', () => 1),
  {
    name: 'mergeAttention',
    tolerance: 1e-5,
    prepare(ops, { rows, heads, channels }) {
      const [into, from] = [1, 3].map((seed) => ({
        out: tokenMajorRows(floats(ops, heads * rows * channels, seed), heads, rows, channels),
        logSumExp: { buffer: floats(ops, heads * rows, seed + 1), offset: 0, headStride: rows },
      }));
      return {
        size: `${heads} heads, ${rows} × ${channels}`,
        flops: 3 * heads * rows * channels,
        bytes: 12 * heads * rows * channels,
        out: into!.out.buffer,
        record: () => ops.mergeAttention({ into: into!, from: from! }),
      };
    },
  },
];
