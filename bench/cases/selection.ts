import { headMajorRows, matrixRows } from '../../gpu/rows';
import { floats, type KernelCase } from './case';

export const selectionCases: readonly KernelCase[] = [
  {
    name: 'peakScores',
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
        record: () => ops.peakScores({ query, key, out, outOffset: 0 }),
      };
    },
  },
  {
    name: 'dilate',
    tolerance: 0,
    prepare(ops, { keys }) {
      const rows = { offset: 0, rows: 1, length: keys, rowStride: keys };
      const input = { buffer: floats(ops, keys, 1), ...rows };
      const out = { buffer: ops.allocate('f32', keys, 'out'), ...rows };
      return {
        size: `${keys}, radius 3`,
        flops: 7 * keys,
        bytes: 8 * keys,
        out: out.buffer,
        record: () => ops.dilate({ input, radius: 3, out }),
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
        record: () => ops.topK({ score, secondary, count, indexBase: 0, out }),
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
        record: () =>
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
        record: () => ops.segmentRanks({ input, segmentLength, out }),
      };
    },
  },
];
