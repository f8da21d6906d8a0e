import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { ScoreRows } from '../../../gpu/ops';
import { input, numbers } from './views';

const ops = createCpuOps();
const GUARD = 0xdeadbeef;

function scoreRows(values: readonly (readonly number[])[]): ScoreRows {
  const length = values[0]!.length;
  const view = input(ops, { heads: 1, rows: values.length, channels: length }, values.flat());
  return { buffer: view.buffer, offset: view.offset, rows: values.length, length, rowStride: view.rowStride };
}

/** The order that gpu/operations/top-k/op.ts asks for, by sorting. */
function expected(score: readonly number[], secondary: readonly number[] | undefined, count: number) {
  const clean = (x: number) => (Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x + 0);
  const first = score.map((x) => clean(Math.fround(x)));
  const second = (secondary ?? score.map(() => 0)).map((x) => clean(Math.fround(x)));
  const compare = (a: number, b: number) => (a === b ? 0 : a > b ? -1 : 1);
  const order = first
    .map((_, i) => i)
    .sort((i, j) => compare(first[i]!, first[j]!) || compare(second[i]!, second[j]!) || i - j);
  const kept = order.slice(0, count);
  const last = kept.at(-1);
  const tied =
    last === undefined
      ? 0
      : order.filter((i) => first[i] === first[last] && second[i] === second[last]).length;
  return { kept: kept.sort((a, b) => a - b), tied };
}

test('rows keep as many as they say', async () => {
  const scores = [1, 2, 3, 4].map((step) => Array.from({ length: 20 }, (_, i) => (7 * step * i) % 13));
  const [counts, count, none] = [[3, 0, 12, 40], 12, GUARD];
  const list = ops.upload(new Uint32Array(4 * count).fill(none), 'list');
  const tied = ops.upload(new Uint32Array(4).fill(none), 'tied');
  ops.topK({
    score: scoreRows(scores),
    count,
    counts: { buffer: ops.upload(Uint32Array.from([99, ...counts]), 'counts'), offset: 1 },
    indexBase: 0,
    out: { buffer: list, offset: 0, sets: 4, count, rowStride: count },
    tied: { buffer: tied, offset: 0 },
  });
  const want = scores.map((row, r) => expected(row, undefined, Math.min(count, counts[r]!)));
  expect([...(await ops.readIntegers(tied))]).toEqual(want.map((of) => of.tied));
  expect([...(await ops.readIntegers(list))]).toEqual(
    want.flatMap(({ kept }) => [...kept, ...new Array(count - kept.length).fill(none)]),
  );
});

async function check(
  scores: readonly (readonly number[])[],
  count: number,
  secondary?: readonly (readonly number[])[],
  indexBase = 0,
): Promise<void> {
  const rows = scores.length;
  const kept = Math.min(count, scores[0]!.length);
  const rowStride = kept + 2;
  const buffer = ops.upload(new Uint32Array(3 + rows * rowStride).fill(GUARD), 'list');
  const ties = ops.upload(new Uint32Array(rows + 2).fill(GUARD), 'tied');
  ops.topK({
    score: scoreRows(scores),
    secondary: secondary && scoreRows(secondary),
    count,
    indexBase,
    out: { buffer, offset: 3, sets: rows, count: kept, rowStride },
    tied: { buffer: ties, offset: 1 },
  });
  const wantList = new Array(3 + rows * rowStride).fill(GUARD);
  const wantTies = new Array(rows + 2).fill(GUARD);
  scores.forEach((row, r) => {
    const want = expected(row, secondary?.[r], count);
    want.kept.forEach((index, i) => {
      wantList[3 + r * rowStride + i] = index + indexBase;
    });
    wantTies[1 + r] = want.tied;
  });
  expect([...(await ops.readIntegers(buffer))]).toEqual(wantList);
  expect([...(await ops.readIntegers(ties))]).toEqual(wantTies);
}

describe('topK', () => {
  const random = (seed: number, length: number) => [...numbers(seed, length)];
  const coarse = (seed: number, length: number, steps: number) =>
    random(seed, length).map((x) => Math.round(steps * x));

  test.each([1, 2, 3, 255, 256, 257, 1000])('%i distinct scores, every kind of count', async (length) => {
    for (const count of [0, 1, Math.floor(length / 3), length - 1, length, length + 5]) {
      await check([random(length, length), random(length + 1, length)], count, undefined, 40);
    }
  });

  test('ties: lower indices first, and their number', async () => {
    for (const count of [1, 7, 50, 99, 100]) {
      await check([coarse(1, 100, 1), coarse(2, 100, 3), new Array(100).fill(-0.5)], count);
    }
  });

  test('ties decided by the secondary score, and among these by index', async () => {
    for (const count of [1, 7, 50, 99, 100]) {
      const scores = [coarse(3, 100, 1), new Array(100).fill(0), random(4, 100)];
      await check(scores, count, [coarse(5, 100, 2), coarse(6, 100, 4), coarse(7, 100, 2)]);
    }
  });

  test('infinities, NaN as −∞, −0 as +0, subnormals, in both scores', async () => {
    const { POSITIVE_INFINITY: high, NEGATIVE_INFINITY: low, NaN: none } = Number;
    const special = [0, -0, none, low, high, 1e-45, -1e-45, 3.4e38, -3.4e38, none, 0, -0, low, high, 1, -1];
    for (let count = 0; count <= special.length; count++) {
      await check([special, special.toReversed()], count);
      await check([special, new Array(16).fill(none)], count, [special.toReversed(), special]);
    }
  });

  test('NaN of either sign', async () => {
    const bits = Uint32Array.of(0x7fc00000, 0xffc00000, 0xff800000, 0x7f800001, 0xff7fffff);
    const buffer = ops.upload(new Float32Array(bits.buffer), 'bits');
    const list = ops.allocate('u32', 2, 'list');
    const tied = { buffer: ops.allocate('u32', 1, 'tied'), offset: 0 };
    ops.topK({
      score: { buffer, offset: 0, rows: 1, length: 5, rowStride: 5 },
      count: 2,
      indexBase: 0,
      out: { buffer: list, offset: 0, sets: 1, count: 2, rowStride: 2 },
      tied,
    });
    expect([...(await ops.readIntegers(list))]).toEqual([0, 4]);
    expect([...(await ops.readIntegers(tied.buffer))]).toEqual([4]);
  });

  test('scores that differ in their last bits only', async () => {
    const near = coarse(8, 300, 100).map((x) => 1 + x * 2 ** -23);
    for (const count of [1, 30, 150, 299]) await check([near, near.map((x) => -x)], count);
  });

  test('no candidates and no rows', async () => {
    await check([[]], 3);
    const nothing = ops.allocate('f32', 0, 'nothing');
    ops.topK({
      score: { buffer: nothing, offset: 0, rows: 0, length: 4, rowStride: 4 },
      count: 2,
      indexBase: 0,
      out: { buffer: ops.allocate('u32', 0, 'list'), offset: 0, sets: 0, count: 2, rowStride: 2 },
    });
  });
});

test('topKOfGroups: infinite scores of a row, and ties, leave the floors of the others alone', async () => {
  const { POSITIVE_INFINITY: high, NaN: none, NEGATIVE_INFINITY: low } = Number;
  const rows = [
    [high, high, high, high],
    [1, 2, none, 2],
    [3, 3, 3, 3],
    [low, none, low, 3],
  ];
  const buffer = ops.upload(new Uint32Array(4 + 4 * 4).fill(GUARD), 'list');
  const out = { buffer, offset: 4, sets: 4, count: 4, rowStride: 4, countsOffset: 0 };
  const tied = { buffer: ops.upload(new Uint32Array(2), 'tied'), offset: 0 };
  ops.topKOfGroups({
    score: scoreRows(rows),
    rowsPerGroup: 2,
    count: 5,
    floorCount: 1,
    indexBase: 0,
    out,
    tied,
  });
  expect([...(await ops.readIntegers(buffer))]).toEqual([
    ...[4, 1, 4, 1],
    ...[0, 1, 2, 3],
    ...[1, GUARD, GUARD, GUARD],
    ...[0, 1, 2, 3],
    ...[3, GUARD, GUARD, GUARD],
  ]);
  // Three of the first group's infinite scores are left to be kept, and three of the second's equal ones.
  expect([...(await ops.readIntegers(tied.buffer))]).toEqual([3, 3]);
});
