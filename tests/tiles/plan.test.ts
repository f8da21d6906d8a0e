import { describe, expect, test } from 'vitest';
import { TILE_PIXELS, topLevel } from '../../src/tiles/grid';
import { cellsOf, LONGEST_EXACT_MILLISECONDS, planWork, type TileWish } from '../../src/tiles/plan';
import { TileRate } from '../../src/tiles/throughput';

const TOKENS = 32_768;
const top = { layer: 0, head: 0, level: topLevel(TOKENS), row: 0, column: 0 };

/** A device that evaluates so many cells a millisecond. */
function rateOf(cellsPerMillisecond: number): TileRate {
  const rate = new TileRate();
  rate.note(1, 1, 0.1);
  for (let i = 0; i < 60; i++) rate.note(1000 * cellsPerMillisecond, 1, 1000);
  return rate;
}

const wish = (change: Partial<TileWish> = {}): TileWish => {
  const address = change.address ?? { layer: 0, head: 0, level: 0, row: 9, column: 3 };
  const key = JSON.stringify(address);
  return {
    ...{ address, key, tile: undefined, isWhole: false, mayRefine: true, isPending: false },
    ...change,
  };
};
const inView = (row: number, column: number, level = 0): TileWish =>
  wish({ address: { layer: 0, head: 0, level, row, column } });
const tile = (exactLines: number, rowStep: number) => ({
  ...{
    maximum: new Float32Array(),
    mean: new Float32Array(),
    excess: new Float32Array(),
    exactLines,
    rowStep,
  },
});

describe('on a fast device', () => {
  const rate = rateOf(1e8);

  test('a view is made whole and exact, in the order of the wishes, before thumbnails', () => {
    const others = [wish({ address: { ...top, head: 1 }, isWhole: true })];
    const work = planWork([inView(9, 3), inView(9, 2), inView(8, 3), ...others], TOKENS, rate);
    expect(work.map(({ row, column, head }) => [row, column, head])).toEqual([
      [9, 3, 0],
      [9, 2, 0],
      [8, 3, 0],
      [0, 0, 1],
    ]);
    for (const piece of work) {
      expect(piece).toMatchObject({ lineStart: 0, lineEnd: TILE_PIXELS, rowStep: 1 });
    }
  });

  test('nothing is asked for that is there or pending', () => {
    const done = wish({ tile: tile(TILE_PIXELS, 0) });
    const asked = { ...inView(9, 2), isPending: true };
    expect(planWork([done, asked], TOKENS, rate)).toEqual([]);
    expect(planWork([done, asked, inView(9, 4)], TOKENS, rate)).toHaveLength(1);
  });

  test('a tile that is wanted twice is asked for once', () => {
    expect(planWork([inView(0, 0, 8), wish({ address: top, isWhole: true })], TOKENS, rate)).toHaveLength(1);
  });

  test('a batch is cut where it would take too long', () => {
    const slower = rateOf(2 ** 14 / 4);
    const wishes = Array.from({ length: 40 }, (_, column) => inView(200, column));
    const work = planWork(wishes, TOKENS, slower);
    expect(work.length).toBeGreaterThanOrEqual(1);
    expect(work.length).toBeLessThan(5);
  });
});

describe('on a slow device', () => {
  /** A tile of level 5 has 2^24 cells: 1.7 seconds. */
  const rate = rateOf(1e4);
  const large = wish({ address: { layer: 0, head: 0, level: 5, row: 5, column: 2 } });

  test('a tile that would take more than a second is sampled first', () => {
    const [piece] = planWork([large], TOKENS, rate);
    expect(rate.millisecondsOf(cellsOf([{ ...piece!, rowStep: 1 }], TOKENS))).toBeGreaterThan(
      LONGEST_EXACT_MILLISECONDS,
    );
    expect(piece).toMatchObject({ lineStart: 0, lineEnd: TILE_PIXELS, rowStep: 32 });
    expect(rate.millisecondsOf(cellsOf([piece!], TOKENS))).toBeLessThan(100);
  });

  test('one that takes less is not, and comes in pieces', () => {
    const small = wish({ address: { layer: 0, head: 0, level: 4, row: 5, column: 2 } });
    const [first] = planWork([small], TOKENS, rate);
    expect(first).toMatchObject({ lineStart: 0, rowStep: 1 });
    expect(first!.lineEnd).toBeLessThan(TILE_PIXELS / 4);
    expect(rate.millisecondsOf(cellsOf([first!], TOKENS))).toBeLessThan(60);
    const [next] = planWork([{ ...small, tile: tile(first!.lineEnd, 0) }], TOKENS, rate);
    expect(next).toMatchObject({ lineStart: first!.lineEnd, rowStep: 1 });
  });

  test('what was sampled is made exact in pieces to the end, after everything else in view is there', () => {
    const sampled = { ...large, tile: tile(100, 32) };
    const [first] = planWork([sampled, inView(9, 3)], TOKENS, rate);
    expect(first).toMatchObject({ level: 0, row: 9 });
    const [second] = planWork([sampled], TOKENS, rate);
    expect(second).toMatchObject({ level: 5, lineStart: 100, rowStep: 1 });
    let exactLines = 100;
    let pieces = 0;
    for (; pieces < 200; pieces++) {
      const [piece] = planWork([{ ...large, tile: tile(exactLines, 32) }], TOKENS, rate);
      if (!piece) break;
      expect(piece.lineStart).toBe(exactLines);
      exactLines = piece.lineEnd;
    }
    expect(exactLines).toBe(TILE_PIXELS);
    expect(pieces).toBeGreaterThan(3);
  });

  test('a glance at the whole head comes first when the view will take a while', () => {
    const work = planWork([large, wish({ address: top, isWhole: true })], TOKENS, rate);
    expect(work[0]).toMatchObject({ level: top.level, rowStep: 256, lineEnd: TILE_PIXELS });
    const quick = planWork([inView(9, 3), wish({ address: top, isWhole: true })], TOKENS, rate);
    expect(quick[0], 'a view that is there at once').toMatchObject({ level: 0 });
  });

  test('thumbnails are glanced at, and made exact only when that is allowed', () => {
    const head = wish({ address: { ...top, head: 4 }, isWhole: true, mayRefine: false });
    expect(planWork([head], TOKENS, rate)[0]).toMatchObject({ head: 4, rowStep: 256 });
    const seen = { ...head, tile: tile(0, 256) };
    expect(planWork([seen], TOKENS, rate)).toEqual([]);
    expect(planWork([{ ...seen, mayRefine: true }], TOKENS, rate)[0]).toMatchObject({
      head: 4,
      lineStart: 0,
      rowStep: 1,
    });
  });
});

describe('the rate', () => {
  test('grows as fast as a device shows itself to be, and forgets a stumble', () => {
    const rate = new TileRate();
    for (const cells of [6e5, 1e6, 1e7, 1e8]) rate.note(cells, 1, 1 + cells / 1e8);
    expect(rate.millisecondsOf(1e8)).toBeLessThan(2);
    rate.note(1e8, 1, 100);
    expect(rate.millisecondsOf(1e8)).toBeLessThan(3);
    for (let i = 0; i < 30; i++) rate.note(1e8, 1, 100);
    expect(rate.millisecondsOf(1e8), 'it is slower now').toBeGreaterThan(70);
  });

  test('many small tiles say nothing about cells', () => {
    const rate = rateOf(1e8);
    for (let i = 0; i < 50; i++) rate.note(1e6, 80, 8);
    expect(rate.millisecondsOf(1e8)).toBeLessThan(1.5);
    expect(rate.millisecondsOfTiles(80)).toBeGreaterThan(5);
  });
});
