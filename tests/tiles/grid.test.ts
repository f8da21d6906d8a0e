import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ancestorOf,
  causalCells,
  distanceOf,
  levelFor,
  linesOf,
  TILE_PIXELS,
  type TilePlace,
  tilesIn,
  tileTokens,
  tokensPerPixel,
  topLevel,
} from '../../src/tiles/grid';

const place = (level: number, row: number, column: number): TilePlace => ({ level, row, column });

describe('levels', () => {
  test('a pixel of a tile is as large as one of the screen, within a factor of √2', () => {
    expect(levelFor(4096, 1024)).toBe(2);
    expect(levelFor(4095, 1024)).toBe(2);
    expect(levelFor(5700, 1024)).toBe(2);
    expect(levelFor(5800, 1024)).toBe(3);
    expect(levelFor(100, 1024), 'cells larger than a pixel').toBe(0);
    for (let tokens = 1024; tokens < 40_000; tokens += 97) {
      const ratio = tokensPerPixel(levelFor(tokens, 1024)) / (tokens / 1024);
      expect(ratio).toBeLessThanOrEqual(Math.SQRT2);
      expect(ratio).toBeGreaterThanOrEqual(Math.SQRT1_2);
    }
  });

  test('at the top one tile shows the whole text, and one level below it does not', () => {
    for (const tokens of [1, 127, 128, 129, 1000, 1024, 1025, 32_768, 32_769]) {
      const top = topLevel(tokens);
      expect(tileTokens(top)).toBeGreaterThanOrEqual(tokens);
      if (top > 0) expect(tileTokens(top - 1)).toBeLessThan(tokens);
    }
  });
});

describe('tiles in a region', () => {
  const region = (rowStart: number, rowEnd: number, columnStart: number, columnEnd: number) => ({
    ...{ rowStart, rowEnd, columnStart, columnEnd },
  });

  test('cover it up to the diagonal and to the end of a text that is no multiple of a tile', () => {
    expect(tilesIn(region(0, 300, 0, 300), 0, 300)).toEqual([
      place(0, 0, 0),
      ...[place(0, 1, 0), place(0, 1, 1)],
      ...[place(0, 2, 0), place(0, 2, 1), place(0, 2, 2)],
    ]);
    expect(tilesIn(region(0, 300, 0, 300), 1, 300)).toEqual([place(1, 0, 0), place(1, 1, 0), place(1, 1, 1)]);
    expect(tilesIn(region(0, 300, 0, 300), 2, 300)).toEqual([place(2, 0, 0)]);
  });

  test('are those that it touches, with fractional edges and beyond the ends too', () => {
    expect(tilesIn(region(127.5, 128.5, 10, 20), 0, 4096)).toEqual([place(0, 0, 0), place(0, 1, 0)]);
    expect(tilesIn(region(128, 256, 128, 256), 0, 4096)).toEqual([place(0, 1, 1)]);
    expect(tilesIn(region(-50, 9000, -50, 9000), 4, 4096)).toHaveLength(3);
    expect(tilesIn(region(0, 128, 128, 256), 0, 4096), 'above the diagonal').toEqual([]);
  });

  test('each with a causal cell, and together with all of them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 0, max: 4 }), (tokens, level) => {
        const tiles = tilesIn(region(0, tokens, 0, tokens), level, tokens);
        const cells = tiles.map((tile) => causalCells(tile, tokens));
        expect(cells.every((count) => count > 0)).toBe(true);
        expect(cells.reduce((sum, count) => sum + count, 0)).toBe((tokens * (tokens + 1)) / 2);
      }),
    );
  });
});

test('causal cells of some lines are those that a count gives', () => {
  fc.assert(
    fc.property(
      fc.record({
        tokens: fc.integer({ min: 1, max: 500 }),
        level: fc.integer({ min: 0, max: 2 }),
        row: fc.integer({ min: 0, max: 3 }),
        column: fc.integer({ min: 0, max: 3 }),
        lines: fc.tuple(fc.integer({ min: 0, max: TILE_PIXELS }), fc.integer({ min: 0, max: TILE_PIXELS })),
      }),
      ({ tokens, lines, ...tile }) => {
        const [start, end] = [Math.min(...lines), Math.max(...lines)];
        const scale = tokensPerPixel(tile.level);
        const span = tileTokens(tile.level);
        let count = 0;
        for (let query = tile.row * span + start * scale; query < tile.row * span + end * scale; query++) {
          if (query >= tokens) break;
          const keyEnd = Math.min(tokens, query + 1, (tile.column + 1) * span);
          count += Math.max(0, keyEnd - tile.column * span);
        }
        expect(causalCells(tile, tokens, start, end)).toBe(count);
      },
    ),
  );
});

test('a tile has the lines that its queries need, the last of them for fewer', () => {
  expect(linesOf(place(0, 0, 0), 100)).toBe(100);
  expect(linesOf(place(2, 0, 0), 100)).toBe(25);
  expect(linesOf(place(2, 0, 0), 101)).toBe(26);
  expect(linesOf(place(0, 1, 0), 300)).toBe(128);
  expect(linesOf(place(0, 2, 0), 300)).toBe(44);
  expect(linesOf(place(0, 3, 0), 300)).toBe(0);
});

test('an ancestor shows the tile, too', () => {
  expect(ancestorOf(place(1, 5, 2), 1)).toEqual(place(1, 5, 2));
  expect(ancestorOf(place(1, 5, 2), 3)).toEqual(place(3, 1, 0));
});

test('distance is counted in pixels from a tile’s middle', () => {
  expect(distanceOf(place(0, 0, 0), { query: 64, key: 64 })).toBe(0);
  expect(distanceOf(place(1, 1, 0), { query: 128, key: 128 })).toBe(128);
});
