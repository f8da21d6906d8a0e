import { expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { rowShape } from '../../src/measure/layer-rows';
import { readKept, readKeptOfEach, readLists } from '../../src/measure/selection-reader';

const ops = createCpuOps();
// Rows of three with one more between them, then the lengths.
const buffer = ops.upload(Uint32Array.of(9, 1, 2, 5, 9, 0, 9, 9, 9, 2, 3, 9, 9, 3, 1, 2), 'lists');
const list = { buffer, offset: 1, sets: 3, count: 3, rowStride: 4 };

test('lists are read with their own lengths', async () => {
  const read = await readLists(ops, { ...list, countsOffset: 13 });
  expect(read.map((indices) => [...indices])).toEqual([[1, 2, 5], [0], [2, 3]]);
});

test('lists without lengths have all the longest', async () => {
  const read = await readLists(ops, list);
  expect(read.map((indices) => [...indices])).toEqual([
    [1, 2, 5],
    [0, 9, 9],
    [2, 3, 9],
  ]);
});

test('queries whose lists differ in length are not measured as rows of one pass', async () => {
  const selection = { list, tiedAtCut: null, rangeStart: 6, candidates: { start: 0, end: 6 } };
  const read = (countsOffset?: number) =>
    readKept(ops, { ...selection, list: { ...list, countsOffset } } as never);
  expect(rowShape(await read(), { start: 9, end: 10 })).toEqual({ listed: 3, near: 4 });
  expect(rowShape(await read(13), { start: 9, end: 10 })).toBeNull();
  expect(rowShape(await read(), { start: 8, end: 10 })).toBeNull();
});

test('lists with much between them are read as the others are', async () => {
  // Queries of two heads, whose lists are the first three of rows of 512.
  const [rows, rowStride] = [200, 512];
  const data = Uint32Array.from({ length: 7 + rows * rowStride }, (_, i) => i);
  const [lists, tied] = [ops.upload(data, 'lists'), ops.upload(data, 'tied')];
  const selections = Array.from({ length: rows / 2 }, (_, query) => ({
    list: { buffer: lists, offset: 7 + 2 * query * rowStride, sets: 2, count: 3, rowStride },
    tiedAtCut: { buffer: tied, offset: query, sets: 2 },
    ...{ rangeStart: query, candidates: { start: 0, end: query } },
  }));
  const before = ops.memory().bytes;
  let read = 0;
  const counting: typeof ops = {
    ...ops,
    readIntegers(buffer, offset, length) {
      read += length!;
      return ops.readIntegers(buffer, offset, length);
    },
  };
  const together = await Promise.all(readKeptOfEach(counting, selections as never));
  expect(read).toBe(3 * rows + rows / 2 + 1);
  expect(ops.memory().bytes).toBe(before);
  expect(together).toEqual(
    await Promise.all(selections.map((selection) => readKept(ops, selection as never))),
  );
  expect([...together[99]!.sets[1]!]).toEqual([0, 1, 2].map((i) => 7 + 199 * rowStride + i));
});
