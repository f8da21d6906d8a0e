import { describe, expect, test } from 'vitest';
import { type BlockCoverage, coverageOfTile } from '../../src/tiles/coverage';
import { TILE_PIXELS, type TilePlace, tileTokens, tokensPerPixel } from '../../src/tiles/grid';

/** Blocks of 50 queries, the last one shorter; sets of two pairs of heads; the range starts 20 tokens before the block. */
function selectionOf(tokens: number): BlockCoverage[] {
  const blocks: BlockCoverage[] = [];
  for (let start = 0; start < tokens; start += 50) {
    const rangeStart = Math.max(0, start - 20);
    const keys = (step: number) =>
      Uint32Array.from({ length: Math.ceil(rangeStart / step) }, (_, i) => i * step).filter(
        (key) => key < rangeStart,
      );
    const block = { start, end: Math.min(tokens, start + 50) };
    blocks.push({ block, kept: { rangeStart, sets: [keys(3), keys(7 + (start % 100) / 50)] } });
  }
  return blocks;
}

/** The share by looking at every cell. */
function shareOf(
  place: TilePlace,
  tokens: number,
  selection: readonly BlockCoverage[],
  set: number,
): Float32Array {
  const scale = tokensPerPixel(place.level);
  const share = new Float32Array(TILE_PIXELS ** 2);
  for (let at = 0; at < share.length; at++) {
    const rowStart = place.row * tileTokens(place.level) + Math.floor(at / TILE_PIXELS) * scale;
    const keyStart = place.column * tileTokens(place.level) + (at % TILE_PIXELS) * scale;
    let [kept, seen] = [0, 0];
    for (let row = rowStart; row < Math.min(tokens, rowStart + scale); row++) {
      const block = selection.find((entry) => row >= entry.block.start && row < entry.block.end);
      if (!block) continue;
      for (let key = keyStart; key < keyStart + scale && key <= row; key++) {
        seen++;
        if (key >= block.kept.rangeStart || block.kept.sets[set]!.includes(key)) kept++;
      }
    }
    if (seen > 0) share[at] = kept / seen;
  }
  return share;
}

describe('share of a pixel that is kept', () => {
  const tokens = 301;
  const selection = selectionOf(tokens);

  test.each([
    { level: 0, row: 0, column: 0 },
    { level: 0, row: 1, column: 0 },
    { level: 0, row: 2, column: 1 },
    { level: 0, row: 2, column: 2 },
    { level: 1, row: 0, column: 0 },
    { level: 1, row: 1, column: 0 },
    { level: 2, row: 0, column: 0 },
    { level: 3, row: 0, column: 0 },
  ])('is what its cells give: %o', (place) => {
    for (const [head, set] of [
      [1, 0],
      [2, 1],
    ] as const) {
      const share = coverageOfTile(place, tokens, selection, head, 4);
      expect(share).toEqual(shareOf(place, tokens, selection, set));
    }
  });

  test('of queries that nothing was selected for is nothing', () => {
    const share = coverageOfTile({ level: 0, row: 0, column: 0 }, tokens, selection.slice(1), 0, 4);
    expect(share.subarray(0, 50 * TILE_PIXELS).every((value) => value === 0)).toBe(true);
    expect(share[50 * TILE_PIXELS]).toBeGreaterThan(0);
  });
});
