import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { isUserError } from '../../src/base/user-error';
import { forward } from '../../src/model/decoder/forward';
import { attentionOfTiles } from '../../src/tiles/attention';
import { FirstWeights } from '../../src/tiles/factors';
import { linesOf, TILE_PIXELS, tilesIn, tokensPerPixel } from '../../src/tiles/grid';
import { takePicture, takeThumbnails } from '../../src/tiles/picture';
import type { TileWork } from '../../src/tiles/requests';
import { traceOfSession } from '../../src/trace/from-decoder';
import { someIds, tinyDecoder } from '../engine/tiny-model';

/** Not a multiple of anything: tiles end within the text, and the text within a tile. */
const TOKENS = 150;
const { signal } = new AbortController();

describe('tiles of a real decoder', async () => {
  const ops = createCpuOps();
  const decoder = await tinyDecoder(ops);
  const { reader } = await forward(decoder, someIds(TOKENS));
  const text = traceOfSession(decoder, reader, { tokens: TOKENS, calibration: null });

  const whole = (level: number, row: number, column: number, rowStep = 1, layer = 1, head = 3): TileWork => {
    const place = { level, row, column };
    return { layer, head, ...place, lineStart: 0, lineEnd: linesOf(place, TOKENS), rowStep };
  };
  const firstWeights = new FirstWeights(text);
  const ask = async (...work: TileWork[]) => (await attentionOfTiles(text, work, signal, firstWeights)).lines;

  /** Every weight of one head, put together from the tiles of level 0. */
  async function weightsOf(layer: number, head: number): Promise<(query: number, key: number) => number> {
    const region = { rowStart: 0, rowEnd: TOKENS, columnStart: 0, columnEnd: TOKENS };
    const tiles = tilesIn(region, 0, TOKENS);
    const lines = await ask(...tiles.map(({ row, column }) => whole(0, row, column, 1, layer, head)));
    return (query, key) => {
      const [row, column] = [Math.floor(query / TILE_PIXELS), Math.floor(key / TILE_PIXELS)];
      const at = tiles.findIndex((tile) => tile.row === row && tile.column === column);
      return lines[at]?.maximum[(query % TILE_PIXELS) * TILE_PIXELS + (key % TILE_PIXELS)] ?? 0;
    };
  }

  test('at one pixel a cell, every row of full attention sums to one across tiles, and is none beyond', async () => {
    for (const head of [0, 3]) {
      const weight = await weightsOf(1, head);
      for (let query = 0; query < TOKENS; query++) {
        let sum = 0;
        for (let key = 0; key <= query; key++) sum += weight(query, key);
        expect(sum).toBeCloseTo(1, 5);
        for (let key = query + 1; key < TOKENS; key++) expect(weight(query, key)).toBe(0);
      }
    }
  });

  test.each([
    { level: 1, rowStep: 1 },
    { level: 3, rowStep: 1 },
    { level: 3, rowStep: 4 },
    { level: 8, rowStep: 1 },
  ])(
    'a pixel of level $level, every $rowStep. row, is its cells’ maximum and mean',
    async ({ level, rowStep }) => {
      const weight = await weightsOf(1, 3);
      const [lines] = await ask(whole(level, 0, 0, rowStep));
      const scale = tokensPerPixel(level);
      const side = Math.ceil(TOKENS / scale);
      for (let at = 0; at < side * side; at++) {
        const [y, x] = [Math.floor(at / side), at % side];
        const cells: number[] = [];
        for (let query = y * scale; query < Math.min(TOKENS, (y + 1) * scale); query += rowStep) {
          for (let key = x * scale; key < (x + 1) * scale && key <= query; key++)
            cells.push(weight(query, key));
        }
        const pixel = y * TILE_PIXELS + x;
        expect(lines!.maximum[pixel]).toBeCloseTo(Math.max(0, ...cells), 6);
        const mean = cells.reduce((sum, cell) => sum + cell, 0) / Math.max(1, cells.length);
        expect(lines!.mean[pixel]).toBeCloseTo(mean, 6);
      }
    },
  );

  test('pieces of several tiles, layers and kinds come back in the order in which they were asked', async () => {
    const pieces = [
      { ...whole(0, 1, 0), lineStart: 5, lineEnd: 9 },
      whole(1, 0, 0, 2),
      whole(0, 1, 1, 1, 2, 0),
      { ...whole(0, 1, 0), lineStart: 20, lineEnd: 22 },
      whole(0, 0, 0),
    ];
    const together = await ask(...pieces);
    expect(together.map(({ maximum }) => maximum.length / TILE_PIXELS)).toEqual([4, 75, 22, 2, 128]);
    for (const [i, piece] of pieces.entries()) expect(together[i]).toEqual((await ask(piece))[0]);
  });

  test('stop when they are no longer wanted, and leave nothing behind', async () => {
    const before = ops.memory().bytes;
    const reason = new Error('out of view');
    await expect(
      attentionOfTiles(text, [whole(0, 0, 0)], AbortSignal.abort(reason), firstWeights),
    ).rejects.toBe(reason);
    await expect(attentionOfTiles(text, [whole(0, 2, 0)], signal, firstWeights)).rejects.toSatisfy(
      isUserError,
    );
    expect(ops.memory().bytes).toBe(before);
  });

  test('factors of their rows are uploaded once for a view, and released with the text', async () => {
    const sent: string[] = [];
    const counting = Object.assign(Object.create(ops) as typeof ops, {
      upload(data: Float32Array | Uint32Array, label: string) {
        sent.push(label);
        return ops.upload(data, label);
      },
    });
    const before = ops.memory().bytes;
    const viewed = { ...text, ops: counting };
    const weights = new FirstWeights(viewed);
    const batch = () =>
      attentionOfTiles(viewed, [whole(0, 0, 0), whole(0, 1, 0), whole(0, 0, 0, 1, 0)], signal, weights);
    const first = await batch();
    expect(sent).toEqual(['factors of tile rows', 'factors of tile rows']);
    expect((await batch()).lines).toEqual(first.lines);
    expect(sent).toHaveLength(2);
    expect(ops.memory().bytes).toBeGreaterThan(before);
    // What is being evaluated keeps them to its end.
    const last = batch();
    weights.close();
    expect((await last).lines).toEqual(first.lines);
    expect(ops.memory().bytes).toBe(before);
  });

  test('pictures for a recording are put together without a seam', async () => {
    const source = {
      attention: async ({ work }: { work: readonly TileWork[] }) =>
        attentionOfTiles(text, work, signal, firstWeights),
      coverage: async ({ tiles }: { tiles: readonly unknown[] }) => ({ kept: tiles.map(() => null) }),
    };
    const subject = { source, text: '', method: '', tokens: TOKENS };
    const weight = await weightsOf(1, 3);
    const picture = await takePicture(subject, 1, 3, TOKENS);
    expect(picture).toMatchObject({ width: TOKENS, height: TOKENS, rowEnd: TOKENS, kept: null });
    for (let at = 0; at < TOKENS ** 2; at++) {
      expect(picture.maximum[at]).toBe(weight(Math.floor(at / TOKENS), at % TOKENS));
    }
    expect(await takePicture(subject, 1, 3, 100)).toMatchObject({ width: 75, columnEnd: TOKENS });

    const thumbnails = await takeThumbnails(subject, 3, 4);
    expect(thumbnails).toMatchObject({ size: 38, layers: 3, heads: 4, rowStep: 1 });
    const coarse = await takePicture(subject, 1, 3, 64);
    const at = (1 * 4 + 3) * 38 ** 2;
    expect(thumbnails.maximum.subarray(at, at + 38 ** 2)).toEqual(coarse.maximum);
  });
});
