import { longestOfGroup } from '../../gpu/operations/top-k-of-groups/op';
import { headMajorRows, matrixRows } from '../../gpu/rows';
import { floats, type KernelCase } from './case';

export const selectionCases: readonly KernelCase[] = [
  {
    name: 'esaImportance',
    tolerance: 1e-5,
    prepare(ops, { rows, keys, channels }) {
      const query = matrixRows(floats(ops, rows * channels, 1), rows, channels);
      const key = matrixRows(floats(ops, keys * channels, 2), keys, channels);
      const out = ops.allocate('f32', keys, 'out');
      return {
        size: `${rows} × ${keys} over ${channels}`,
        // The score matrix is computed twice.
        flops: 4 * rows * keys * channels,
        bytes: 8 * (rows + keys) * channels,
        out,
        encode: () => ops.esaImportance({ query, key, out, outOffset: 0 }),
      };
    },
  },
  {
    name: 'esaImportanceByQuery',
    tolerance: 1e-5,
    prepare(ops, { rows, keys, channels }) {
      const query = matrixRows(floats(ops, rows * channels, 1), rows, channels);
      const key = matrixRows(floats(ops, keys * channels, 2), keys, channels);
      const out = {
        buffer: ops.allocate('f32', rows * keys, 'out'),
        ...{ offset: 0, rows, length: keys, rowStride: keys },
      };
      // The last query sees all keys.
      const firstLength = keys + 1 - rows;
      return {
        size: `${rows} × ${keys} over ${channels}`,
        flops: 2 * rows * keys * channels,
        bytes: 4 * ((rows + keys) * channels + 3 * rows * keys),
        out: out.buffer,
        encode: () => ops.esaImportanceByQuery({ query, key, firstLength, out }),
      };
    },
  },
  {
    name: 'pool, maximum',
    tolerance: 0,
    prepare(ops, { keys }) {
      const rows = { offset: 0, rows: 1, length: keys, rowStride: keys };
      const input = { buffer: floats(ops, keys, 1), ...rows };
      const out = { buffer: ops.allocate('f32', keys, 'out'), ...rows };
      return {
        size: `${keys}, width 7`,
        flops: 7 * keys,
        bytes: 8 * keys,
        out: out.buffer,
        encode: () => ops.pool({ kind: 'max', input, width: 7, out }),
      };
    },
  },
  {
    name: 'pool, mean',
    tolerance: 1e-6,
    prepare(ops, { keys, heads }) {
      const rows = { offset: 0, rows: heads, length: keys, rowStride: keys };
      const input = { buffer: floats(ops, heads * keys, 1), ...rows };
      const out = { buffer: ops.allocate('f32', heads * keys, 'out'), ...rows };
      return {
        size: `${heads} × ${keys}, width 5`,
        flops: 5 * heads * keys,
        bytes: 8 * heads * keys,
        out: out.buffer,
        encode: () => ops.pool({ kind: 'mean', input, width: 5, out }),
      };
    },
  },
  {
    name: 'topK',
    tolerance: 0,
    prepare(ops, { keys }) {
      const count = Math.ceil(keys / 4);
      const rows = { offset: 0, rows: 1, length: keys, rowStride: keys };
      const score = { buffer: floats(ops, keys, 1), ...rows };
      const secondary = { buffer: floats(ops, keys, 2), ...rows };
      const list = ops.allocate('u32', count, 'list');
      const out = { buffer: list, offset: 0, sets: 1, count, rowStride: count };
      return {
        size: `${count} of ${keys}`,
        flops: 0,
        bytes: 8 * keys + 4 * count,
        out: list,
        encode: () => ops.topK({ score, secondary, count, indexBase: 0, out }),
      };
    },
  },
  {
    name: 'topKOfGroups',
    tolerance: 0,
    prepare(ops, { keys, groups }) {
      const count = groups * Math.ceil(keys / 4);
      const floorCount = Math.floor(keys / 20);
      const rows = { offset: 0, rows: groups, length: keys, rowStride: keys };
      const score = { buffer: floats(ops, groups * keys, 1), ...rows };
      const sizes = { score, rowsPerGroup: groups, count, floorCount };
      const longest = longestOfGroup(sizes);
      const list = ops.allocate('u32', groups * (1 + longest), 'lists');
      const lists = { offset: groups, sets: groups, count: longest, rowStride: longest, countsOffset: 0 };
      return {
        size: `${count} of ${groups} × ${keys}, floors of ${floorCount}`,
        flops: 0,
        bytes: 4 * (groups * keys + count),
        out: list,
        encode: () => ops.topKOfGroups({ ...sizes, indexBase: 0, out: { buffer: list, ...lists } }),
      };
    },
  },
  {
    name: 'lagScores',
    tolerance: 1e-5,
    prepare(ops, { keys, groups, channels }) {
      const lagTokens = 16;
      const partitions = keys / lagTokens - 1;
      const [key, value] = [1, 2].map((seed) =>
        headMajorRows(floats(ops, groups * keys * channels, seed), groups, keys, channels),
      );
      const length = partitions * lagTokens;
      const out = {
        buffer: ops.allocate('f32', groups * length, 'out'),
        offset: 0,
        rows: groups,
        length,
        rowStride: length,
      };
      return {
        size: `${groups} heads, ${partitions} × ${lagTokens}, d ${channels}`,
        flops: 16 * groups * length * channels,
        bytes: 4 * groups * (2 * keys * channels + length),
        out: out.buffer,
        encode: () =>
          ops.lagScores({
            key: key!,
            value: value!,
            keyFactor: 1,
            valueFactor: 1,
            lagTokens,
            partitions,
            out,
          }),
      };
    },
  },
  {
    name: 'segmentRanks',
    tolerance: 1e-6,
    prepare(ops, { keys, groups }) {
      const segmentLength = 16;
      const rows = { offset: 0, rows: groups, length: keys, rowStride: keys };
      const input = { buffer: floats(ops, groups * keys, 1), ...rows };
      const out = { buffer: ops.allocate('f32', groups * keys, 'out'), ...rows };
      return {
        size: `${groups} × ${keys}, segments of ${segmentLength}`,
        flops: 2 * groups * keys * segmentLength,
        bytes: 8 * groups * keys,
        out: out.buffer,
        encode: () => ops.segmentRanks({ input, segmentLength, out }),
      };
    },
  },
];
