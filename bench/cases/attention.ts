import type { Ops, VisibleKeys } from '../../gpu/ops';
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

/** What a block of queries sees, and how many pairs of a query and a key that is. */
interface Seen {
  readonly visible: VisibleKeys;
  readonly pairs: number;
}
type SeenBy = (ops: Ops, sizes: Sizes, rows: number) => Seen;

const allBefore: SeenBy = (_ops, { keys, heads }, rows) => ({
  visible: { range: { start: 0, end: keys, causal: true } },
  pairs: heads * rows * (keys - (rows - 1) / 2),
});

const quarterWindow: SeenBy = (_ops, { keys, heads }, rows) => {
  const window = Math.ceil(keys / 4);
  return { visible: { range: { start: 0, end: keys, causal: true, window } }, pairs: heads * rows * window };
};

/** Every second key before the queries, of those the first half, or as many as `lengthOf` says, and the queries themselves. */
const listed =
  (lengthOf?: (group: number, count: number) => number): SeenBy =>
  (ops, { keys, heads, groups }, rows) => {
    const start = keys - rows;
    const count = Math.floor(start / 4);
    const lengths = Array.from({ length: groups }, (_, group) => lengthOf?.(group, count) ?? count);
    const indices = Array.from({ length: groups * count }, (_, i) => 2 * (i % count));
    const buffer = ops.upload(Uint32Array.from([...indices, ...lengths]), 'lists');
    const list = {
      ...{ buffer, offset: 0, sets: groups, count, rowStride: count },
      ...(lengthOf && { countsOffset: groups * count }),
    };
    const mean = lengths.reduce((sum, length) => sum + length, 0) / groups;
    return {
      visible: { list, range: { start, end: keys, causal: true } },
      pairs: heads * rows * (mean + (rows + 1) / 2),
    };
  };

export const quarterListed = listed();
const differentListed = listed((group, count) => Math.floor(count / (1 + (group % 4))));

function attentionCase(name: string, rowsOf: (sizes: Sizes) => number, seenBy = allBefore): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const rows = rowsOf(sizes);
      const { query, key, value, scale, logSumExp, inputBytes, size } = attentionInputs(ops, sizes, rows);
      const out = { ...query, buffer: ops.allocate('f32', query.buffer.length, 'out') };
      const { visible, pairs } = seenBy(ops, sizes, rows);
      return {
        size,
        flops: 4 * pairs * sizes.channels,
        bytes: 2 * inputBytes,
        out: out.buffer,
        encode: () => ops.attention({ query, key, value, scale, visible, out, logSumExp }),
      };
    },
  };
}

export const attentionCases: readonly KernelCase[] = [
  attentionCase('attention', ({ rows }) => rows),
  attentionCase('attention, one query', () => 1),
  attentionCase('attention, lists', ({ rows }) => rows, quarterListed),
  attentionCase('attention, different lists', ({ rows }) => rows, differentListed),
  attentionCase('attention, lists, one query', () => 1, quarterListed),
  attentionCase('attention, different lists, one query', () => 1, differentListed),
  attentionCase('attention, window', ({ rows }) => rows, quarterWindow),
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
        encode: () => ops.mergeAttention({ into: into!, from: from! }),
      };
    },
  },
];
