import { it } from 'vitest';
import { longestOfGroup } from '../../../gpu/operations/top-k-of-groups/op';
import type { Ops, ScoreRows } from '../../../gpu/ops';
import { asRows } from '../../../gpu/validate';
import {
  compare,
  describeBoth,
  inputScores,
  type Outputs,
  poisonedIntegers,
  randomFloats,
  scoresOut,
} from './both';

const infinity = Number.POSITIVE_INFINITY;
const noise = randomFloats(4000, 11);

interface Case {
  readonly name: string;
  readonly rows: number;
  readonly rowsPerGroup: number;
  readonly length: number;
  /** Pairs of count and floorCount. */
  readonly counts: readonly (readonly [number, number])[];
  readonly value: (i: number) => number;
  readonly secondary?: (i: number) => number;
}

const cases: readonly Case[] = [
  { name: 'one entry', rows: 1, rowsPerGroup: 1, length: 1, counts: [[0, 0], [1, 0], [1, 1], [9, 4]], value: () => 3 }, // biome-ignore format: one line a case
  {
    name: 'no entries',
    rows: 4,
    rowsPerGroup: 2,
    length: 0,
    counts: [
      [0, 0],
      [3, 2],
    ],
    value: () => 3,
  },
  { name: 'no rows', rows: 0, rowsPerGroup: 2, length: 5, counts: [[3, 1]], value: () => 3 },
  {
    name: 'noise',
    rows: 6,
    rowsPerGroup: 3,
    length: 129,
    counts: [[1, 0], [64, 0], [64, 1], [200, 50], [200, 66], [386, 128], [387, 0], [900, 200]], // biome-ignore format: pairs
    value: (i) => noise[i]!,
  },
  {
    name: 'a row that takes nearly everything',
    rows: 4,
    rowsPerGroup: 4,
    length: 70,
    counts: [[60, 0], [60, 3], [75, 2], [8, 2]], // biome-ignore format: pairs
    value: (i) => noise[i]! + (i >= 140 && i < 210 ? 100 : 0),
  },
  {
    name: 'constants: the first rows are filled first',
    rows: 4,
    rowsPerGroup: 2,
    length: 65,
    counts: [[1, 0], [66, 0], [100, 10], [129, 64]], // biome-ignore format: pairs
    value: () => -7,
  },
  {
    name: 'ties broken by the second score, then by row and index',
    rows: 4,
    rowsPerGroup: 4,
    length: 90,
    counts: [[7, 0], [100, 5], [180, 20], [300, 30]], // biome-ignore format: pairs
    value: (i) => Math.round(noise[i]!),
    secondary: (i) => Math.round(2 * noise[(7 * i) % 4000]!),
  },
  {
    name: 'NaN, infinities and the largest numbers',
    rows: 4,
    rowsPerGroup: 2,
    length: 66,
    counts: [[5, 0], [40, 3], [70, 20], [110, 40], [131, 60]], // biome-ignore format: pairs
    value: (i) =>
      [Number.NaN, -infinity, infinity, -3.4028234663852886e38, 3.4028234663852886e38, -0, 0][i % 7]!,
    secondary: (i) => [infinity, noise[i]!, Number.NaN][i % 3]!,
  },
  {
    name: 'infinite scores leave the floors of other rows alone',
    rows: 4,
    rowsPerGroup: 2,
    length: 40,
    // Pairs of count and floorCount.
    counts: [
      [7, 2],
      [30, 5],
      [60, 1],
    ],
    value: (i) => (i < 40 || i >= 120 ? infinity : noise[i]!),
    secondary: (i) => -i,
  },
  {
    name: 'long rows',
    rows: 4,
    rowsPerGroup: 4,
    length: 5003,
    counts: [[4000, 500], [17_000, 3000], [9000, 0]], // biome-ignore format: pairs
    value: (i) => Math.round(64 * noise[((i / 3) % 4000) | 0]!),
  },
];

function encode(ops: Ops, c: Case, scores: ScoreRows, count: number, floorCount: number): Outputs {
  const { rows, rowsPerGroup, length } = c;
  const sizes = { score: scores, rowsPerGroup, count, floorCount };
  const most = longestOfGroup(sizes);
  const list = poisonedIntegers(ops, 2 * rows + 3 + rows * (most + 2));
  const tied = poisonedIntegers(ops, rows + 1);
  const secondary =
    c.secondary &&
    inputScores(
      ops,
      rows,
      length,
      Float32Array.from({ length: rows * length }, (_, i) => c.secondary!(i)),
    );
  ops.topKOfGroups({
    ...sizes,
    secondary,
    indexBase: 1000,
    out: {
      buffer: list,
      offset: 2 * rows + 2,
      sets: rows,
      count: most,
      rowStride: most + 2,
      countsOffset: 1,
    },
    tied: { buffer: tied, offset: 1 },
  });
  return { list, tied };
}

describeBoth('topKOfGroups', (backends) => {
  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const values = Float32Array.from({ length: c.rows * c.length }, (_, i) => c.value(i));
    for (const [count, floorCount] of c.counts) {
      await compare(backends, (ops) => {
        const apart = inputScores(ops, c.rows, c.length, values);
        return encode(ops, c, apart, count, floorCount);
      });
      // Rows end to end, which need no copy.
      await compare(backends, (ops) => {
        const dense = { rows: c.rows, length: c.length, offset: 0, rowStride: c.length };
        return encode(ops, c, { ...dense, buffer: ops.upload(values, 'scores') }, count, floorCount);
      });
    }
  });

  it('leaves the scores as they are', async () => {
    await compare(backends, (ops) => {
      const values = randomFloats(2 * 40, 3);
      const scores = scoresOut(ops, 2, 40);
      ops.copyRows({ input: asRows(inputScores(ops, 2, 40, values)), out: asRows(scores) });
      const [case_] = [{ name: '', rows: 2, rowsPerGroup: 2, length: 40, counts: [], value: () => 0 }];
      return { scores: scores.buffer, ...encode(ops, case_!, scores, 30, 10) };
    });
  });
});
