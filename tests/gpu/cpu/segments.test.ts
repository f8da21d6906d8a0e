/** Pages, segments and lists of them, where numbers are missing, infinite or none; numpy.test.ts has the rest. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { IndexList, ScoreRows } from '../../../gpu/ops';
import { headMajorRows } from '../../../gpu/rows';
import { input, output, take } from './views';

const ops = createCpuOps();
const { NaN: none, NEGATIVE_INFINITY: low, POSITIVE_INFINITY: high } = Number;

const column = (values: readonly number[]) => ({ heads: 1, rows: values.length, channels: 1 });
const row = (length: number) => ({ heads: 1, rows: 1, channels: length });
const score = (values: readonly number[]): ScoreRows => ({
  ...input(ops, row(values.length), values),
  length: values.length,
});

describe('pageBounds', () => {
  const bounds = async (values: readonly number[], pageLength: number) => {
    const pages = new Array(Math.ceil(values.length / pageLength)).fill(0);
    const [minimum, maximum] = [output(ops, column(pages)), output(ops, column(pages))];
    ops.pageBounds({ key: input(ops, column(values), values), pageLength, minimum, maximum });
    return [await take(ops, minimum), await take(ops, maximum)];
  };

  test('a last page that is short has what rows are left', async () => {
    expect(await bounds([-3, -5, -4, -2, -7], 2)).toEqual([
      [-5, -4, -7],
      [-3, -2, -7],
    ]);
    expect(await bounds([-3, -5], 100)).toEqual([[-5], [-3]]);
    expect(await bounds([], 3)).toEqual([[], []]);
  });

  test('infinities are numbers, NaN makes bounds NaN', async () => {
    expect(await bounds([low, 1, high, 2, none, 3, 4, none, 5, 6], 2)).toEqual([
      [low, 2, none, none, 5],
      [1, high, none, none, 6],
    ]);
  });
});

describe('boundScores', () => {
  const scores = async (query: readonly number[], minimum: readonly number[], maximum: readonly number[]) => {
    const view = output(ops, row(minimum.length));
    const bound = (values: readonly number[]) => input(ops, column(values), values);
    ops.boundScores({
      ...{ query: input(ops, column(query), query), minimum: bound(minimum), maximum: bound(maximum) },
      out: { ...view, length: minimum.length },
    });
    return take(ops, view);
  };

  test('the sign of the query says which bound counts', async () => {
    expect(await scores([2], [-3, 1, -5], [4, 7, -2])).toEqual([8, 14, -4]);
    expect(await scores([-2], [-3, 1, -5], [4, 7, -2])).toEqual([6, -2, 10]);
    expect(await scores([0], [-3, 1], [4, 7])).toEqual([0, 0]);
  });

  test('a bound that is no number shows', async () => {
    expect(await scores([2], [none, low, low], [none, high, 1])).toEqual([none, high, 2]);
    expect(await scores([-2], [none, low, low], [none, high, 1])).toEqual([none, high, high]);
  });

  test('none of no channels', async () => {
    const view = output(ops, row(2));
    const empty = headMajorRows(ops.allocate('f32', 0, 'empty'), 1, 2, 0);
    const query = { ...empty, rows: 1 };
    ops.boundScores({ query, minimum: empty, maximum: empty, out: { ...view, length: 2 } });
    expect(await take(ops, view)).toEqual([0, 0]);
  });
});

describe('segmentReduce', () => {
  const reduced = async (
    kind: 'sum' | 'mean' | 'max' | 'min',
    values: readonly number[],
    segmentLength: number,
  ) => {
    const length = Math.ceil(values.length / segmentLength);
    const view = output(ops, row(length));
    ops.segmentReduce({ kind, input: score(values), segmentLength, out: { ...view, length } });
    return take(ops, view);
  };

  test('a last segment that is short counts its own entries', async () => {
    const values = [4, -2, 10, 8, -5];
    expect(await reduced('sum', values, 2)).toEqual([2, 18, -5]);
    expect(await reduced('mean', values, 2)).toEqual([1, 9, -5]);
    expect(await reduced('max', values, 2)).toEqual([4, 10, -5]);
    expect(await reduced('min', values, 2)).toEqual([-2, 8, -5]);
    expect(await reduced('mean', values, 9)).toEqual([3]);
    expect(await reduced('mean', [], 9)).toEqual([]);
  });

  test('NaN and infinities', async () => {
    const values = [none, 1, low, 2, high, 3, low, high, none, none];
    expect(await reduced('sum', values, 2)).toEqual([none, low, high, none, none]);
    expect(await reduced('mean', values, 2)).toEqual([none, low, high, none, none]);
    expect(await reduced('max', values, 2)).toEqual([1, 2, high, high, low]);
    expect(await reduced('min', values, 2)).toEqual([low, low, 3, low, low]);
  });
});

describe('expandList', () => {
  const LIST_GUARD = 77;

  const expanded = async (
    segments: IndexList,
    segmentLength: number,
    indexBase: number,
    end: number,
    setsPerEnd?: number,
  ) => {
    const last = setsPerEnd === undefined ? end : end + segments.sets / setsPerEnd - 1;
    const count = Math.min(segments.count * segmentLength, Math.max(0, last - indexBase));
    const buffer = ops.upload(new Uint32Array(segments.sets * (count + 1)).fill(LIST_GUARD), 'list');
    const out = {
      buffer,
      offset: segments.sets,
      sets: segments.sets,
      count,
      rowStride: count,
      countsOffset: 0,
    };
    ops.expandList({ segments, segmentLength, indexBase, end, out, ...(setsPerEnd && { setsPerEnd }) });
    return [...(await ops.readIntegers(buffer))];
  };
  const listOf = (
    data: readonly number[],
    sets: number,
    count: number,
    countsOffset?: number,
  ): IndexList => ({
    ...{
      buffer: ops.upload(Uint32Array.from(data), 'segments'),
      offset: countsOffset === undefined ? 0 : sets,
    },
    ...{ sets, count, rowStride: count, countsOffset },
  });

  test('what lies beyond the end is left out', async () => {
    expect(await expanded(listOf([0, 2], 1, 2), 3, 10, 18)).toEqual([5, 10, 11, 12, 16, 17, LIST_GUARD]);
    expect(await expanded(listOf([0, 3], 1, 2), 3, 10, 18)).toEqual([
      3,
      10,
      11,
      12,
      ...new Array(3).fill(LIST_GUARD),
    ]);
    expect(await expanded(listOf([4, 5], 1, 2), 3, 10, 18)).toEqual([0, ...new Array(6).fill(LIST_GUARD)]);
    expect(await expanded(listOf([0, 1], 1, 2), 3, 10, 9)).toEqual([0]);
  });

  test('an end one further for every so many lists', async () => {
    const segments = listOf([0, 2, 1, 2, 0, 2, 1, 2], 4, 2);
    expect(await expanded(segments, 2, 0, 5, 2)).toEqual([
      ...[3, 3, 4, 4],
      ...[0, 1, 4, LIST_GUARD],
      ...[2, 3, 4, LIST_GUARD],
      ...[0, 1, 4, 5],
      ...[2, 3, 4, 5],
    ]);
  });

  test('lists of lengths of their own', async () => {
    const segments = listOf([1, 0, 2, 1, 9, 8, 8, 0, 2], 3, 2, 0);
    expect(await expanded(segments, 2, 0, 6)).toEqual([
      ...[2, 0, 4],
      ...[2, 3, LIST_GUARD, LIST_GUARD],
      ...new Array(4).fill(LIST_GUARD),
      ...[0, 1, 4, 5],
    ]);
  });
});

describe('gatherListed', () => {
  const key = input(ops, { heads: 2, rows: 3, channels: 1 }, [0, 1, 2, 10, 11, 12]);

  test('one list for all heads, lists shorter than others, indices out of range', async () => {
    const shared = output(ops, { heads: 2, rows: 2, channels: 1 });
    const list = {
      buffer: ops.upload(Uint32Array.of(1, 7), 'list'),
      offset: 0,
      sets: 1,
      count: 2,
      rowStride: 2,
    };
    ops.gatherListed({ input: key, list, out: shared });
    expect(await take(ops, shared)).toEqual([1, 2, 11, 12]);

    const ragged = output(ops, { heads: 4, rows: 2, channels: 1 }, 'token-major', new Array(8).fill(-1));
    const data = Uint32Array.of(2, 0, 1, 2, 0, 1, 99, 99, 2, 99, 0, 2);
    const lists = {
      buffer: ops.upload(data, 'lists'),
      offset: 4,
      sets: 4,
      count: 2,
      rowStride: 2,
      countsOffset: 0,
    };
    ops.gatherListed({ input: key, list: lists, out: ragged });
    expect(await take(ops, ragged)).toEqual([0, 1, -1, -1, 12, -1, 10, 12]);
  });
});

describe('mixRows', () => {
  test('no tokens give zeros, or what was there', async () => {
    const shape = { heads: 1, rows: 2, channels: 1 };
    const empty = headMajorRows(ops.allocate('f32', 0, 'empty'), 1, 2, 0);
    const nothing = headMajorRows(ops.allocate('f32', 0, 'empty'), 1, 0, 1);
    const out = output(ops, shape, 'head-major', [3, 4]);
    ops.mixRows({ matrix: empty, input: nothing, out, accumulate: true });
    expect(await take(ops, out)).toEqual([3, 4]);
    ops.mixRows({ matrix: empty, input: nothing, out });
    expect((await ops.readFloats(out.buffer))[out.offset]).toBe(0);
  });
});
