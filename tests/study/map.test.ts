import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { forward } from '../../src/study/forward';
import { keptShare, paintThumbnails, paintTile } from '../../src/study/map';
import { recordReading } from '../../src/study/record';
import { someIds, tinyDecoder } from './tiny-model';

const whole = { rowStart: 0, rowEnd: 10, columnStart: 0, columnEnd: 10, layer: 0 };

describe('share of a pixel that is kept', () => {
  const selection = [
    { block: { start: 0, end: 4 }, kept: { rangeStart: 0, sets: [new Uint32Array(0)] } },
    {
      block: { start: 4, end: 10 },
      kept: { rangeStart: 3, sets: [Uint32Array.of(0), Uint32Array.of(1, 2)] },
    },
  ];

  test('cell by cell it says which keys a query sees', () => {
    const share = keptShare({ ...whole, head: 3, width: 10, height: 10 }, selection, 3, 4);
    for (let row = 0; row < 10; row++) {
      for (let key = 0; key < 10; key++) {
        const isSeen = key <= row && (row < 4 || key >= 3 || key === 1 || key === 2);
        expect(share[row * 10 + key], `query ${row}, key ${key}`).toBe(isSeen ? 1 : 0);
      }
    }
  });

  test('a set per group of heads: the lower half of the heads uses the first', () => {
    const share = keptShare({ ...whole, head: 1, width: 10, height: 10 }, selection, 1, 4);
    expect(Array.from(share.subarray(90, 100))).toEqual([1, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('pooled pixels hold the share of their causal cells, in a region away from the corner too', () => {
    const region = {
      ...whole,
      rowStart: 4,
      rowEnd: 8,
      columnStart: 1,
      columnEnd: 5,
      head: 0,
      width: 2,
      height: 2,
    };
    // Rows 4 and 5 over keys 1 and 2: none kept by set 0; keys 3 and 4: both seen by both rows.
    expect(Array.from(keptShare(region, selection, 0, 4))).toEqual([0, 1, 0, 1]);
  });

  test('blocks that were not selected hold nothing', () => {
    const share = keptShare({ ...whole, head: 0, width: 10, height: 10 }, [selection[1]], 0, 4);
    expect(Array.from(share.subarray(0, 40)).every((value) => value === 0)).toBe(true);
  });
});

describe('tiles of a real decoder', async () => {
  const ops = createCpuOps();
  const decoder = await tinyDecoder(ops);
  const tokens = 24;
  const { reader } = await forward(decoder, someIds(tokens));
  const text = recordReading(decoder, reader, tokens, null);
  const region = { rowStart: 0, rowEnd: tokens, columnStart: 0, columnEnd: tokens };

  test('at one pixel a cell, every row of full attention sums to one', async () => {
    for (const head of [0, 3]) {
      const request = { ...region, layer: 1, head, width: tokens, height: tokens };
      const tile = await paintTile(text, text.recorded[1], request, null);
      expect(tile.rowStep).toBe(1);
      expect(tile.kept).toBeNull();
      for (let row = 0; row < tokens; row++) {
        const weights = tile.maximum.subarray(row * tokens, (row + 1) * tokens);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
        expect(weights.subarray(row + 1).every((weight) => weight === 0)).toBe(true);
      }
    }
  });

  test('a zoomed tile holds the cells of the whole picture', async () => {
    const all = await paintTile(
      text,
      text.recorded[2],
      { ...region, layer: 2, head: 1, width: tokens, height: tokens },
      null,
    );
    const part = {
      rowStart: 10,
      rowEnd: 18,
      columnStart: 5,
      columnEnd: 13,
      layer: 2,
      head: 1,
      width: 8,
      height: 8,
    };
    const tile = await paintTile(text, text.recorded[2], part, null);
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 8; x++) {
        expect(tile.mean[y * 8 + x]).toBeCloseTo(all.mean[(10 + y) * tokens + 5 + x], 6);
      }
    }
  });

  test('thumbnails hold every layer and head in its place', async () => {
    const thumbnails = await paintThumbnails(text, 6, new AbortController().signal);
    expect(thumbnails).toMatchObject({ size: 6, layers: 3, heads: 4, rowStep: 1 });
    const one = await paintTile(
      text,
      text.recorded[2],
      { ...region, layer: 2, head: 3, width: 6, height: 6 },
      null,
    );
    const at = (2 * 4 + 3) * 36;
    expect(thumbnails.maximum.subarray(at, at + 36)).toEqual(one.maximum);
  });
});
