import { it } from 'vitest';
import {
  compare,
  describeDevices,
  hardwareAdapter,
  inputScores,
  leastThreads,
  poisonedIntegers,
  randomFloats,
  softwareAdapter,
} from './both';

const infinity = Number.POSITIVE_INFINITY;

interface TopKCase {
  readonly name: string;
  readonly length: number;
  readonly counts: readonly number[];
  readonly value: (i: number) => number;
  readonly secondary?: (i: number) => number;
}

const noise = randomFloats(4000, 11);
const topKCases: readonly TopKCase[] = [
  { name: 'one entry', length: 1, counts: [0, 1, 5], value: () => 3 },
  { name: 'noise', length: 129, counts: [1, 2, 64, 128, 129, 400], value: (i) => noise[i]! },
  { name: 'noise, two stretches a thread', length: 513, counts: [1, 255, 257, 512], value: (i) => noise[i]! },
  { name: 'noise over many stretches', length: 3001, counts: [17, 1500], value: (i) => noise[i]! },
  {
    name: 'ties over several tiles',
    length: 9001,
    counts: [1, 3000, 4500, 9000],
    value: (i) => Math.round(4 * noise[i % 4000]!),
    secondary: (i) => Math.round(8 * noise[(7 * i) % 4000]!),
  },
  // Where rows that start inside a vector get more threads, and where 256 threads hold no more.
  ...[2045, 2046, 4093, 4094, 8189, 8190, 8193, 16_383].map((length) => ({
    name: `${length} entries in runs`,
    length,
    counts: [1, 2048, length - 1],
    value: (i: number) => Math.round(64 * noise[((i / 3) % 4000) | 0]!),
  })),
  { name: 'constants over several blocks', length: 9000, counts: [1, 8190, 9000], value: () => 0 },
  {
    name: 'NaN and infinities over several blocks',
    length: 9000,
    counts: [1000, 4000, 8000],
    value: (i) => [Number.NaN, -infinity, infinity, noise[i % 4000]!, -0][i % 5]!,
    secondary: (i) => noise[(3 * i) % 4000]!,
  },
  { name: 'ascending', length: 2049, counts: [1, 1024, 2048], value: (i) => i },
  { name: 'descending', length: 2047, counts: [1, 1024, 2046], value: (i) => -i },
  { name: 'three entries', length: 3, counts: [1, 2, 3], value: (i) => -i, secondary: (i) => i },
  { name: 'constants', length: 65, counts: [1, 31, 65], value: () => -7 },
  { name: 'two values', length: 300, counts: [1, 99, 100, 101, 299], value: (i) => (i % 3 === 1 ? 2 : 1) },
  {
    name: 'differences in the last bit',
    length: 64,
    counts: [1, 20, 63],
    value: (i) => 1 + (i % 5) * 2 ** -23,
  },
  { name: 'signs of zero', length: 33, counts: [1, 10, 32], value: (i) => [0, -0, -1e-45, 1e-45][i % 4]! },
  {
    name: 'NaN and infinities',
    length: 66,
    counts: [1, 20, 40, 60, 66],
    value: (i) => [Number.NaN, -infinity, infinity, -3e38, 3e38, noise[i]!][i % 6]!,
  },
  {
    name: 'ties broken by the secondary score',
    length: 129,
    counts: [1, 30, 64, 65, 120, 129],
    value: (i) => (i % 4 === 0 ? 1 : 0),
    secondary: (i) => noise[i]!,
  },
  {
    name: 'pairs that tie, the second one ahead by the secondary score',
    length: 64,
    counts: [1, 2, 21, 22, 63],
    value: (i) => i >> 1,
    secondary: (i) => i % 2,
  },
  {
    name: 'ties in both scores',
    length: 200,
    counts: [1, 40, 50, 51, 130, 200],
    value: (i) => (i % 4 === 0 ? 0 : -1),
    secondary: (i) => [0, -0, Number.NaN, -infinity, 5][i % 5]!,
  },
  {
    name: 'a secondary score that must not matter',
    length: 100,
    counts: [1, 37, 99],
    value: (i) => (i * 37) % 101,
    secondary: (i) => -((i * 37) % 101),
  },
];

const devices = {
  'software adapter': softwareAdapter,
  'WebGPU’s default limits': leastThreads,
  'what this device has': hardwareAdapter,
};

describeDevices('topK', devices, (backends) => {
  it.each(topKCases.map((c) => [c.name, c] as const))(
    '%s',
    async (_, { length, counts, value, secondary }) => {
      for (const count of counts) {
        await compare(backends, (ops) => {
          const rows = 2;
          // The second row is the first one reversed.
          const fill = (entry: (i: number) => number) =>
            Float32Array.from({ length: rows * length }, (_, i) =>
              entry(i < length ? i : 2 * length - 1 - i),
            );
          const kept = Math.min(count, length);
          const list = poisonedIntegers(ops, 1 + rows * (kept + 2));
          const tied = poisonedIntegers(ops, rows + 1);
          const out = { buffer: list, offset: 1, sets: rows, count: kept, rowStride: kept + 2 };
          ops.topK({
            score: inputScores(ops, rows, length, fill(value)),
            secondary: secondary && inputScores(ops, rows, length, fill(secondary)),
            count,
            indexBase: 1000,
            out,
            tied: { buffer: tied, offset: 1 },
          });
          return { list, tied };
        });
      }
    },
  );

  it('rows keep as many as they say', async () => {
    await compare(backends, (ops) => {
      const [rows, length, count] = [5, 300, 120];
      const values = (seed: number): Float32Array =>
        randomFloats(rows * length, seed).map((value) => Math.round(8 * value));
      const list = poisonedIntegers(ops, rows * count);
      const tied = poisonedIntegers(ops, rows);
      ops.topK({
        score: inputScores(ops, rows, length, values(5)),
        secondary: inputScores(ops, rows, length, values(6)),
        count,
        counts: { buffer: ops.upload(Uint32Array.of(9, 120, 0, 1, 77, 500), 'counts'), offset: 1 },
        indexBase: 0,
        out: { buffer: list, offset: 0, sets: rows, count, rowStride: count },
        tied: { buffer: tied, offset: 0 },
      });
      return { list, tied };
    });
  });

  it('needs no count of ties', async () => {
    await compare(backends, (ops) => {
      const list = poisonedIntegers(ops, 4);
      const score = inputScores(ops, 1, 70, randomFloats(70, 3));
      ops.topK({
        score,
        count: 4,
        indexBase: 0,
        out: { buffer: list, offset: 0, sets: 1, count: 4, rowStride: 4 },
      });
      return { list };
    });
  });

  it('takes rows of their own lengths and strides, one workgroup each', async () => {
    await compare(backends, (ops) => {
      const rows = 70;
      const values = randomFloats(rows * 37, 5).map((x) => Math.round(9 * x));
      const list = poisonedIntegers(ops, rows * 11);
      const tied = poisonedIntegers(ops, rows);
      ops.topK({
        score: inputScores(ops, rows, 37, values),
        count: 10,
        indexBase: 3,
        out: { buffer: list, offset: 0, sets: rows, count: 10, rowStride: 11 },
        tied: { buffer: tied, offset: 0 },
      });
      return { list, tied };
    });
  });
});
