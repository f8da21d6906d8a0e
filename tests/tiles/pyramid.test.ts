import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { TILE_PIXELS, type TileAddress, tokensPerPixel } from '../../src/tiles/grid';
import { cellsOf } from '../../src/tiles/plan';
import { type MapView, TilePyramid } from '../../src/tiles/pyramid';
import type {
  AttentionReply,
  AttentionRequest,
  CoverageReply,
  CoverageRequest,
  TileSource,
} from '../../src/tiles/requests';

const TOKENS = 1000;
const text = { text: 'text', positions: null };
const TILE_BYTES = 3 * 4 * TILE_PIXELS ** 2;

/** A source that answers when the test says so. A pixel's maximum tells which tile and line it is of. */
class SlowSource implements TileSource {
  readonly attentionAsked: (AttentionRequest & { signal: AbortSignal })[] = [];
  readonly coverageAsked: CoverageRequest[] = [];
  refusal: Error | null = null;
  /** Cells that it evaluates in a millisecond of the clock below, which stands still otherwise. */
  speed = 1e9;
  clock = 0;
  /** Methods whose selection is there. */
  readonly selected = new Set(['a', 'b']);
  readonly #waiting: (() => void)[] = [];

  attention(request: AttentionRequest, signal: AbortSignal): Promise<AttentionReply> {
    this.attentionAsked.push({ ...request, signal });
    const milliseconds = cellsOf(request.work, TOKENS) / this.speed;
    return this.#later(signal, () => ({
      lines: request.work.map(({ row, column, lineStart, lineEnd, rowStep }) => {
        const maximum = Float32Array.from(
          { length: (lineEnd - lineStart) * TILE_PIXELS },
          (_, i) => 100 * row + 10 * column + (lineStart + Math.floor(i / TILE_PIXELS)) / 1000 + rowStep,
        );
        return {
          maximum,
          mean: maximum.map((value) => value / 2),
          excess: maximum.map((value) => value * 3),
        };
      }),
      milliseconds: this.#pass(milliseconds),
    }));
  }

  #pass(milliseconds: number): number {
    this.clock += milliseconds;
    return milliseconds;
  }

  coverage(request: CoverageRequest, signal: AbortSignal): Promise<CoverageReply> {
    this.coverageAsked.push(request);
    const share = request.method === 'a' ? 0.25 : 0.75;
    return this.#later(signal, () => ({
      kept: request.tiles.map(() =>
        this.selected.has(request.method) ? new Float32Array(TILE_PIXELS ** 2).fill(share) : null,
      ),
    }));
  }

  /** Answers everything asked so far. */
  async answer(): Promise<void> {
    for (const wake of this.#waiting.splice(0)) wake();
    await settle();
  }

  /** Answers until nothing more is asked. */
  async answerAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.answer();
  }

  #later<Value>(signal: AbortSignal, value: () => Value): Promise<Value> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      const { refusal } = this;
      this.#waiting.push(() => (refusal ? reject(refusal) : resolve(value())));
    });
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function open(options: { attentionBytes?: number; coverageBytes?: number } = {}) {
  const source = new SlowSource();
  const pyramid = new TilePyramid({ source, now: () => source.clock, ...options });
  // A device for which nothing here is much.
  for (let i = 0; i < 5; i++) pyramid.rate.note(1e9, 1, 1000);
  const heard: TileAddress[] = [];
  pyramid.listen((changed) => heard.push(...changed));
  return { source, pyramid, heard };
}

const view = (change: Partial<MapView> = {}): MapView => ({
  ...{ ...text, tokens: TOKENS, method: 'a', layer: 2, head: 1, level: 0 },
  region: { rowStart: 128, rowEnd: 384, columnStart: 0, columnEnd: 256 },
  focus: { query: 300, key: 100 },
  ...change,
});
const at = (row: number, column: number, level = 0) => ({ layer: 2, head: 1, level, row, column });
const nameOf = ({ level, row, column }: TileAddress) => `${level}:${row},${column}`;
const asked = (source: SlowSource) => source.attentionAsked.map(({ work }) => work.map(nameOf));

describe('what is asked for', () => {
  test('is the view, nearest to the focus first, then the whole head, then the others', async () => {
    const { source, pyramid, heard } = open();
    pyramid.show(view());
    pyramid.showHeads(
      [0, 1].map((head) => ({ layer: 2, head })),
      true,
    );
    expect(asked(source)[0]).toEqual(['0:2,0', '0:2,1', '0:1,0', '0:1,1', '3:0,0']);
    expect(pyramid.isComplete()).toBe(false);
    await source.answerAll();
    expect(pyramid.isComplete()).toBe(true);
    const all = source.attentionAsked.flatMap(({ work }) => work);
    expect(all.map((piece) => `${piece.head} ${nameOf(piece)}`)).toContain('0 3:0,0');
    expect(new Set(all.map((piece) => JSON.stringify(piece))).size, 'nothing twice').toBe(all.length);
    expect(heard.map(nameOf)).toEqual(expect.arrayContaining(['0:2,0', '0:1,1', '3:0,0']));
  });

  test('is not what is there already', async () => {
    const { source, pyramid } = open();
    pyramid.show(view());
    await source.answerAll();
    const before = source.attentionAsked.length;
    pyramid.show(view({ focus: { query: 130, key: 10 } }));
    expect(source.attentionAsked).toHaveLength(before);
    pyramid.show(view({ region: { rowStart: 128, rowEnd: 385, columnStart: 0, columnEnd: 256 } }));
    expect(asked(source).at(-1)).toEqual(['0:3,0', '0:3,1']);
  });

  test('is cancelled when it goes out of view, and only then', async () => {
    const { source, pyramid } = open();
    pyramid.show(view());
    const [first] = source.attentionAsked;
    pyramid.show(view({ region: { rowStart: 140, rowEnd: 200, columnStart: 0, columnEnd: 100 } }));
    expect(first!.signal.aborted, 'some of it is still in view').toBe(false);
    pyramid.show(view({ head: 5 }));
    expect(first!.signal.aborted).toBe(true);
    await settle();
    expect(source.attentionAsked.at(-1)!.work[0]).toMatchObject({ head: 5, row: 2, column: 0 });
    await source.answerAll();
    expect(pyramid.attention(text, at(1, 0), TOKENS), 'came too late').toBeNull();
  });

  test('waits when the source refuses, until there is news', async () => {
    const { source, pyramid } = open();
    source.refusal = new UserError('The text is not read yet.');
    pyramid.show(view());
    await source.answerAll();
    const before = source.attentionAsked.length;
    pyramid.show(view({ focus: { query: 130, key: 10 } }));
    expect(source.attentionAsked).toHaveLength(before);
    source.refusal = null;
    pyramid.announce();
    await source.answerAll();
    expect(pyramid.isComplete()).toBe(true);
  });
});

describe('what is shown', () => {
  test('is the tile itself, or else the nearest one above that has it', async () => {
    const { source, pyramid } = open();
    pyramid.show(view({ level: 2, region: { rowStart: 0, rowEnd: 512, columnStart: 0, columnEnd: 512 } }));
    await source.answerAll();
    const close = { row: 3, column: 1 };
    const found = pyramid.attention(text, { layer: 2, head: 1, level: 0, ...close }, TOKENS);
    expect(found?.place).toEqual({ level: 2, row: 0, column: 0 });
    expect(found?.value.exactLines).toBe(TILE_PIXELS);
    const far = pyramid.attention(text, at(7, 7), TOKENS);
    expect(far?.place, 'the top alone has it').toEqual({ level: 3, row: 0, column: 0 });
    expect(pyramid.attention(text, { ...at(3, 1), head: 0 }, TOKENS)).toBeNull();
    expect(pyramid.attention({ text: 'another text', positions: null }, at(3, 1), TOKENS)).toBeNull();
  });

  test('pieces of a slow tile are put together; until then a sample stands in and is made exact from the top', async () => {
    const { source, pyramid } = open();
    const level = 3;
    // Half a million cells take more than two seconds.
    source.speed = 200;
    for (let i = 0; i < 80; i++) pyramid.rate.note(2e5, 1, 1000);
    const whole = { rowStart: 0, rowEnd: TOKENS, columnStart: 0, columnEnd: TOKENS };
    pyramid.show(view({ level, region: whole }));
    await source.answer();
    const first = pyramid.attention(text, at(0, 0, level), TOKENS)!.value;
    expect(first.rowStep).toBe(tokensPerPixel(level));
    const steps: number[] = [];
    for (let i = 0; i < 200 && !pyramid.isComplete(); i++) {
      await source.answer();
      const { value } = pyramid.attention(text, at(0, 0, level), TOKENS)!;
      steps.push(value.exactLines);
      const boundary = value.exactLines;
      expect(value.maximum[boundary * TILE_PIXELS - 1]).toBeCloseTo((boundary - 1) / 1000 + 1, 4);
      if (boundary < 125) {
        expect(value.maximum[boundary * TILE_PIXELS]).toBeCloseTo(boundary / 1000 + 8, 4);
      }
    }
    expect(pyramid.isComplete()).toBe(true);
    expect(steps.length).toBeGreaterThan(2);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(125);
  });
});

describe('kept shares', () => {
  test('belong to a method: another one leaves attention as it is, and the earlier one stands in', async () => {
    const { source, pyramid } = open();
    pyramid.show(view());
    await source.answerAll();
    const before = source.attentionAsked.length;
    expect(pyramid.coverage('text', at(1, 0), TOKENS)?.value[0]).toBe(0.25);
    pyramid.show(view({ method: 'b' }));
    expect(pyramid.coverage('text', at(1, 0), TOKENS)?.value[0]).toBe(0.25);
    await source.answerAll();
    expect(pyramid.coverage('text', at(1, 0), TOKENS)?.value[0]).toBe(0.75);
    expect(source.attentionAsked).toHaveLength(before);
    const asked = source.coverageAsked.length;
    pyramid.show(view({ method: 'a' }));
    expect(pyramid.coverage('text', at(1, 0), TOKENS)?.value[0], 'still known').toBe(0.25);
    expect(source.coverageAsked).toHaveLength(asked);
  });

  test('that are not there yet are asked for again when there is news', async () => {
    const { source, pyramid } = open();
    source.selected.delete('a');
    pyramid.show(view());
    await source.answerAll();
    const asked = source.coverageAsked.length;
    expect(pyramid.coverage('text', at(1, 0), TOKENS)).toBeNull();
    expect(pyramid.attention(text, at(1, 0), TOKENS)).not.toBeNull();
    source.selected.add('a');
    pyramid.announce();
    await source.answerAll();
    expect(source.coverageAsked.length).toBeGreaterThan(asked);
    expect(pyramid.coverage('text', at(1, 0), TOKENS)?.value[0]).toBe(0.25);
  });

  test('are asked for again when the news comes while they are being looked for', async () => {
    const { source, pyramid } = open();
    source.selected.delete('a');
    pyramid.show(view());
    pyramid.announce();
    await source.answer();
    expect(pyramid.coverage('text', at(1, 0), TOKENS)).toBeNull();
    source.selected.add('a');
    await source.answerAll();
    expect(pyramid.coverage('text', at(1, 0), TOKENS)?.value[0]).toBe(0.25);
  });
});

describe('tiles of other texts', () => {
  const shown = async (texts: readonly string[]) => {
    const { source, pyramid } = open();
    const bytes: number[] = [];
    for (const key of texts) {
      for (const change of [{}, { method: 'b' }, { positions: 'own' }]) {
        pyramid.show(view({ text: key, ...change }));
        await source.answerAll();
      }
      bytes.push(pyramid.bytes.attention + pyramid.bytes.coverage);
    }
    return { source, pyramid, bytes };
  };

  test('stay for the one before, and no longer: a hundred texts take no more than two', async () => {
    const { bytes, pyramid } = await shown(Array.from({ length: 100 }, (_, at) => `text ${at}`));
    expect(bytes[0]).toBeGreaterThan(0);
    expect(bytes.slice(1)).toEqual(Array(99).fill(2 * bytes[0]!));
    for (const [key, isThere] of [
      ['text 0', false],
      ['text 97', false],
      ['text 98', true],
      ['text 99', true],
    ] as const) {
      const found = [null, 'own'].map((positions) =>
        pyramid.attention({ text: key, positions }, at(1, 0), TOKENS),
      );
      expect(found.map((tile) => tile !== null)).toEqual([isThere, isThere]);
    }
  });

  test('of which one is gone back to are not asked for again', async () => {
    const { source, pyramid } = await shown(['one', 'two', 'one', 'two', 'three', 'two']);
    const of = (key: string) => source.attentionAsked.filter(({ text }) => text === key).length;
    expect(of('two')).toBe(of('one'));
    expect(of('two')).toBe(of('three'));
    pyramid.show(view({ text: 'one' }));
    await source.answerAll();
    expect(of('one')).toBeGreaterThan(of('two'));
  });
});

describe('budgets', () => {
  test('of attention and of kept shares are kept apart; what was looked at last stays', async () => {
    const { source, pyramid } = open({ attentionBytes: 6 * TILE_BYTES, coverageBytes: 3 * TILE_BYTES });
    pyramid.show(view());
    await source.answerAll();
    expect(pyramid.bytes.attention).toBe(5 * TILE_BYTES);
    pyramid.show(view({ region: { rowStart: 512, rowEnd: 768, columnStart: 0, columnEnd: 128 } }));
    await source.answerAll();
    expect(pyramid.bytes.attention).toBeLessThanOrEqual(6 * TILE_BYTES);
    expect(pyramid.bytes.coverage).toBeLessThanOrEqual(3 * TILE_BYTES);
    expect(pyramid.attention(text, at(4, 0), TOKENS)?.place.level).toBe(0);
    expect(pyramid.attention(text, at(5, 0), TOKENS)?.place.level).toBe(0);
    pyramid.clear();
    expect(pyramid.bytes).toEqual({ attention: 0, coverage: 0 });
  });
});
