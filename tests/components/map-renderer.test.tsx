import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { colourTablesOf, IGNORED_BITS } from '../../components/map/colour-tables';
import type { MapSubject } from '../../components/map/level-canvas';
import { type Layer, renderTile } from '../../components/map/pixels';
import { MapRenderer } from '../../components/map/renderer';
import { levelOf, wholeRegion } from '../../components/map/viewport';
import { TILE_PIXELS, type TilePlace } from '../../src/tiles/grid';
import { type AttentionTile, cellsOf } from '../../src/tiles/plan';
import { TilePyramid } from '../../src/tiles/pyramid';

const colours = colourTablesOf('dark');
const area = TILE_PIXELS ** 2;
const colourOf = (ramp: Uint32Array, weight: number): number =>
  ramp[new Uint32Array(Float32Array.of(weight).buffer)[0]! >>> IGNORED_BITS]!;

/** A tile whose pixel (y, x) has this weight, half of it as the mean, and would be missed from `limit` on. */
function tileOf(weight: (y: number, x: number) => number, limit = 1): AttentionTile {
  const maximum = Float32Array.from({ length: area }, (_, at) =>
    weight(Math.floor(at / TILE_PIXELS), at % TILE_PIXELS),
  );
  const [mean, excess] = [maximum.map((value) => value / 2), maximum.map((value) => value / limit)];
  return { maximum, mean, excess, exactLines: TILE_PIXELS, rowStep: 0 };
}

describe('a tile’s pixels', () => {
  const place: TilePlace = { level: 1, row: 5, column: 2 };
  const weight = (y: number, x: number) => 0.9 / (1 + ((y * 7 + x * 3) % 50));
  const paint = (
    tile: AttentionTile,
    { by = 0, kept = null as Float32Array | null, layer = 'full' as Layer, at = place } = {},
  ) => {
    const from = { level: at.level + by, row: at.row >> by, column: at.column >> by };
    const pixels = new Uint32Array(area).fill(1);
    const shares = kept && { place: from, value: kept };
    renderTile(pixels, at, { place: from, value: tile }, shares, layer, 'maximum', colours);
    return (y: number, x: number) => pixels[y * TILE_PIXELS + x];
  };

  test('are its weights', () => {
    const pixel = paint(tileOf(weight));
    for (const [y, x] of [
      [0, 0],
      [3, 127],
      [127, 64],
    ] as const)
      expect(pixel(y, x)).toBe(colourOf(colours.heat, weight(y, x)));
  });

  test('are the part of a higher level’s tile, each as large as it covers', () => {
    // Tile (1, 0), two levels up, has tile (5, 2) a quarter of the way down and half of the way across.
    const pixel = paint(tileOf(weight), { by: 2 });
    for (const [y, x] of [
      [0, 0],
      [1, 3],
      [60, 61],
      [127, 127],
    ] as const) {
      const expected = weight(((5 * 128 + y) >> 2) - 128, (2 * 128 + x) >> 2);
      expect(pixel(y, x)).toBe(colourOf(colours.heat, expected));
    }
  });

  test('are empty above the diagonal, sharply, whatever a coarser picture says', () => {
    const pixel = paint(
      tileOf(() => 0.5),
      { by: 2, at: { level: 1, row: 4, column: 4 } },
    );
    for (const [y, x] of [
      [0, 0],
      [0, 1],
      [64, 64],
      [64, 65],
      [127, 127],
    ] as const) {
      expect(pixel(y, x), `${y}, ${x}`).toBe(x > y ? colours.ground : colourOf(colours.heat, 0.5));
    }
  });

  test('say what is kept, and what is missed', () => {
    const limit = 0.004;
    const tile = tileOf((_, x) => (x % 2 === 0 ? limit * 1.01 : limit * 0.99), limit);
    const kept = Float32Array.from({ length: area }, (_, at) => (at % 4 < 2 ? 0.5 : 0.49));
    const both = paint(tile, { kept, layer: 'both' });
    expect(both(10, 0)).toBe(colourOf(colours.kept, limit * 1.01));
    expect(both(10, 1)).toBe(colourOf(colours.kept, limit * 0.99));
    expect(both(10, 2)).toBe(colourOf(colours.missed, limit * 1.01));
    expect(both(10, 3)).toBe(colourOf(colours.faint, limit * 0.99));
    const selective = paint(tile, { kept, layer: 'selective' });
    expect(selective(10, 1)).toBe(colourOf(colours.kept, limit * 0.99));
    expect(selective(10, 2)).toBe(colours.ground);
    const unknown = paint(tile, { layer: 'selective' });
    expect(unknown(10, 2), 'no selection yet').toBe(colourOf(colours.heat, limit * 1.01));
  });

  test('may be of the means', () => {
    const pixels = new Uint32Array(area);
    renderTile(pixels, place, { place, value: tileOf(() => 0.5) }, null, 'full', 'mean', colours);
    expect(pixels[0]).toBe(colourOf(colours.heat, 0.25));
  });

  test('colours rise with weights from 10⁻⁵ to 1, and nothing is the ground', () => {
    expect(colourOf(colours.heat, 0)).toBe(colours.ground);
    expect(colourOf(colours.kept, 0)).toBe(colours.ground);
    expect(colourOf(colours.kept, 1e-7)).toBe(colourOf(colours.kept, 1e-5));
    const distinct = new Set(Array.from({ length: 400 }, (_, i) => colourOf(colours.heat, 10 ** (-i / 80))));
    expect(distinct.size).toBeGreaterThan(180);
    expect(colourOf(colours.heat, 1)).toBe(colourOf(colours.heat, 1.5));
  });
});

describe('a renderer', () => {
  /** What was drawn on any canvas, in order. */
  const drawn: unknown[][] = [];
  /** What was drawn on the screen’s canvas. */
  const shown: unknown[][] = [];

  beforeEach(() => {
    drawn.length = 0;
    shown.length = 0;
    const context = new Proxy(
      {},
      {
        get:
          (_, name) =>
          (...args: unknown[]) =>
            void drawn.push([name, ...args]),
        set: () => true,
      },
    );
    vi.spyOn(HTMLCanvasElement.prototype, 'getContext').mockReturnValue(context as never);
  });
  afterEach(() => void vi.restoreAllMocks());

  const tokens = 1000;
  const subject: MapSubject = {
    ...{
      text: 'text',
      positions: null,
      tokens,
      layer: 0,
      head: 0,
      shown: 'full',
      pooling: 'maximum',
      colours,
    },
  };
  const context = {
    ...{ clearRect() {}, save() {}, restore() {}, drawImage: (...args: unknown[]) => void shown.push(args) },
  } as never;

  const settle = () => new Promise((resolve) => setTimeout(resolve, 2));

  /** `speed`: cells that the source evaluates in a millisecond of a clock that nothing else moves. */
  function open(speed = 1e9) {
    let clock = 0;
    const take = (milliseconds: number): number => {
      clock += milliseconds;
      return milliseconds;
    };
    const pyramid = new TilePyramid({
      now: () => clock,
      source: {
        async attention({ work }) {
          await settle();
          const lines = work.map(({ lineStart, lineEnd }) => {
            const pixels = new Float32Array((lineEnd - lineStart) * TILE_PIXELS).fill(0.5);
            return { maximum: pixels, mean: pixels, excess: pixels };
          });
          return { lines, milliseconds: take(cellsOf(work, tokens) / speed) };
        },
        coverage: async ({ tiles }) => ({ kept: tiles.map(() => null) }),
      },
    });
    const renderer = new MapRenderer(pyramid);
    pyramid.listen((changed) => renderer.invalidate(changed));
    const look = (region = wholeRegion(tokens), change: Partial<MapSubject> = {}) => {
      const next = Object.keys(change).length > 0 ? { ...subject, ...change } : subject;
      const focus = { query: 0, key: 0 };
      const level = levelOf(region, 500, 500);
      const { layer, head } = next;
      pyramid.show({ text: 'text', positions: null, tokens, method: '', layer, head, region, level, focus });
      return { subjects: [next], region, level, focus, split: 1, pictures: [null] };
    };
    return { pyramid, renderer, look };
  }
  const puts = () => drawn.filter(([name]) => name === 'putImageData').map(([, , x, y]) => [x, y]);

  test('renders each tile of the view once when it is there, and then nothing', async () => {
    const { pyramid, renderer, look } = open();
    const frame = look();
    while (renderer.draw(context, frame, 500, 500));
    expect(puts()).toEqual([]);
    while (!pyramid.isComplete()) await settle();
    await settle();
    while (renderer.draw(context, frame, 500, 500));
    const level1 = puts().map(String);
    expect(new Set(level1)).toEqual(
      new Set(Array.from({ length: 16 }, (_, at) => String([128 * (at % 4), 128 * Math.floor(at / 4)]))),
    );
    drawn.length = 0;
    expect(renderer.draw(context, frame, 500, 500)).toBe(false);
    expect(puts()).toEqual([]);
  });

  test('puts a level canvas where its cells are, and the one before under it until it is complete', async () => {
    const { pyramid, renderer, look } = open();
    const first = look();
    while (!pyramid.isComplete()) await settle();
    while (renderer.draw(context, first, 500, 500));
    shown.length = 0;
    renderer.draw(context, first, 500, 500);
    // Tokens 0 … 1024 of level 1 over 1000 tokens on 500 pixels.
    expect(shown.map(([, ...place]) => place)).toEqual([[0, 0, 512, 512]]);

    const region = { rowStart: 500, rowEnd: 750, columnStart: 100, columnEnd: 350 };
    const second = look(region);
    shown.length = 0;
    renderer.draw(context, second, 500, 500);
    expect(shown.map(([, ...place]) => place)).toEqual([
      [-200, -1000, 2048, 2048],
      [-200, -232, 768, 768],
    ]);
    while (!pyramid.isComplete()) await settle();
    await settle();
    while (renderer.draw(context, second, 500, 500));
    shown.length = 0;
    renderer.draw(context, second, 500, 500);
    expect(shown).toHaveLength(1);
  });

  test('shows nothing of another head under a new one', async () => {
    const { pyramid, renderer, look } = open();
    const first = look();
    while (!pyramid.isComplete()) await settle();
    while (renderer.draw(context, first, 500, 500));
    const second = look(wholeRegion(tokens), { head: 1 });
    drawn.length = 0;
    shown.length = 0;
    renderer.draw(context, second, 500, 500);
    expect(puts()).toEqual([]);
    expect(shown).toHaveLength(1);
  });

  test('says that what is in view is only sampled, until it is exact', async () => {
    const { pyramid, renderer, look } = open(200);
    for (let i = 0; i < 80; i++) pyramid.rate.note(2e5, 1, 1000);
    const frame = { ...look(), level: 3 };
    pyramid.show({ ...subject, method: '', region: frame.region, level: 3, focus: frame.focus });
    const steps: number[] = [];
    for (let i = 0; i < 500 && steps.at(-1) !== 1; i++) {
      await settle();
      while (renderer.draw(context, frame, 500, 500));
      if (
        pyramid.attention(
          { text: 'text', positions: null },
          { layer: 0, head: 0, level: 3, row: 0, column: 0 },
          tokens,
        )
      ) {
        steps.push(renderer.rowStep);
      }
    }
    expect(steps[0]).toBe(8);
    expect(steps.at(-1)).toBe(1);
    expect(pyramid.isComplete()).toBe(true);
  });
});
