import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { isUserError } from '../../src/base/user-error';
import { Engine } from '../../src/engine/engine';
import type { StudyEnvironment } from '../../src/engine/environment';
import type { EngineRun, FullRun, PostedEvent } from '../../src/engine/events';
import type { MethodSpec } from '../../src/methods/method-spec';
import { methodKey } from '../../src/methods/method-spec';
import { CALIBRATION_FILE } from '../../src/model/calibration';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { StudySpec } from '../../src/study/spec';
import { textKey } from '../../src/study/spec';
import { TILE_PIXELS, type TileAddress } from '../../src/tiles/grid';
import type { TileWork } from '../../src/tiles/requests';

const TOKENS = 96;
const streaming: MethodSpec = { id: 'streaming-llm', parameters: { keepFraction: 0.25 } };
const small = { initTokens: 4, localTokens: 32, chunkTokens: 32, selectedTokens: 16 };
const esaWith = (change: MethodSpec['parameters']): MethodSpec => ({
  id: 'esa',
  parameters: { ...small, projection: 'closed-form', ...change },
});
const esa = esaWith({});
const lagkv = (keepFraction: number, variant = 'official'): MethodSpec => ({
  id: 'lagkv',
  parameters: { variant, keepFraction, lagTokens: 16, sinkTokens: 4 },
});
const oracle = (keepFraction: number): MethodSpec => ({ id: 'oracle', parameters: { keepFraction } });
const tile = { layer: 2, head: 1, level: 0, row: 0, column: 0 };
/** The first lines of the tile. */
const piece = { ...tile, lineStart: 0, lineEnd: 16, rowStep: 1 };
const { signal: noSignal } = new AbortController();

const spec = (change: Partial<StudySpec> = {}): StudySpec => ({
  model: 'bundled',
  source: { kind: 'sample', sample: 'novel', tokens: TOKENS },
  method: streaming,
  pinned: [],
  queriesStart: null,
  startToken: null,
  ...change,
});

const environment: StudyEnvironment = {
  modelFolder(name) {
    const folder = nodeFolder('samples/model');
    // The same model as if its makers had left nothing for ESA beside it.
    if (name !== 'bare') return folder;
    return { name, open: async (path) => (path === CALIBRATION_FILE ? null : folder.open(path)) };
  },
  sampleTexts: async () => [
    { id: 'novel', title: 'A novel', text: await readFile('samples/texts/short.txt', 'utf8') },
    { id: 'other', title: 'Another', text: 'The lighthouse keeper climbed the stairs. '.repeat(20) },
  ],
};

let ops: Ops;
let engine: Engine;
beforeEach(() => {
  ops = createCpuOps();
  engine = new Engine(ops, environment);
});

/** Asks for a piece of the study's text, and for what a method keeps of a tile. */
const attention = async (work: TileWork) =>
  engine.attention({ text: textKey(spec()), work: [work] }, noSignal);
const coverage = async (address: TileAddress, method: MethodSpec = streaming) =>
  engine.coverage({ text: textKey(spec()), method: methodKey(method), tiles: [address] }, noSignal);

/** Runs a study and gives its events. */
async function run(study: StudySpec, change: Partial<EngineRun> = {}) {
  const events: PostedEvent[] = [];
  const fulls: FullRun[] = [];
  const outcome = engine.run({
    spec: study,
    parts: ['probe', 'free'],
    signal: new AbortController().signal,
    onFull: (full) => fulls.push(full),
    full: null,
    ...change,
    emit(event) {
      events.push(event);
      change.emit?.(event);
    },
  });
  await outcome;
  return { events, fulls, measured: measuredIn(events) };
}

function measuredIn(events: readonly PostedEvent[]) {
  const parts = events.flatMap((event) => (event.name === 'measured' ? [event.value] : []));
  return Object.assign({}, ...parts) as Extract<PostedEvent, { name: 'measured' }>['value'];
}

/** What the events are about, in order, without repetitions. */
function story(events: readonly PostedEvent[]): string[] {
  const told = events.flatMap((event): string[] => {
    if (event.name === 'timing' || event.name === 'assumed') return [];
    if (event.name === 'progress' && event.value.label.startsWith('measuring')) return [];
    if (event.name === 'measured') return Object.keys(event.value).map((part) => `measured ${part}`);
    if (event.name === 'progress') return [`progress ${/^[^:0-9]*/.exec(event.value.label)![0].trim()}`];
    return [event.name];
  });
  return told.filter((line, i) => line !== told[i - 1]);
}

const readsFullAttention = (events: readonly PostedEvent[]): boolean =>
  story(events).includes('progress full attention');

describe('a study', () => {
  test('tells its events in order, and fits together', async () => {
    engine.look(5, 0);
    const { events, fulls, measured } = await run(spec());
    expect(story(events)).toEqual([
      'progress loading model',
      'progress preparing the text',
      'model',
      'text',
      'progress full attention',
      'textRead',
      'selectionReady',
      'measured queries',
      'measured cost',
      'measured layers',
      'progress sweep',
      'measured sweep',
      'progress StreamingLLM',
      'measured freeRun',
    ]);
    const layers = events.flatMap(({ name, value }) =>
      name === 'measured' && value.layers ? [value.layers] : [],
    );
    expect(layers.map(({ length }) => length)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 8]);
    expect(measured.queries).toEqual({ start: 84, end: TOKENS });
    expect(fulls).toHaveLength(1);
    expect(fulls[0]!.queryStates.length).toBe(12 * 192);
    const times = events.flatMap((event) => (event.name === 'timing' ? [event.value] : [])).at(-1)!;
    const names = ['load', 'fullAttention', 'probe', 'sweep', 'freeRun'];
    expect(Object.keys(times).sort()).toEqual(names.sort());

    // The sweep's points and the probe run measure the same thing in two ways.
    const point = measured.sweep![0]!.points.at(-1)!;
    expect(point).toMatchObject({ keep: 1, kept: 1 });
    expect(point.massRecall).toBeCloseTo(1, 5);
    const mass = measured.layers!.map(({ massRecall }) => massRecall!);
    expect(Math.max(...mass)).toBeLessThan(1);
    expect(measured.freeRun!.divergenceNats).toBeGreaterThan(1e-4);
  });

  test('with the method “full” loses nothing', async () => {
    const { measured } = await run(spec({ method: { id: 'full', parameters: {} } }));
    for (const layer of measured.layers!) expect(layer).toMatchObject({ outputError: 0 });
    expect(measured.freeRun!.divergenceNats).toBeCloseTo(0, 8);
    expect(measured.freeRun!.top1Agreement).toBe(1);
  });

  test('with another parameter reads the text no second time', async () => {
    const first = await run(spec());
    const method: MethodSpec = { ...streaming, parameters: { keepFraction: 0.5 } };
    const second = await run(spec({ method, pinned: [streaming] }));
    expect(readsFullAttention(first.events)).toBe(true);
    expect(readsFullAttention(second.events)).toBe(false);
    expect(second.fulls[0]).toBe(first.fulls[0]);
    const recall = ({ measured }: typeof first) => measured.layers!.map(({ massRecall }) => massRecall);
    recall(second).forEach((value, layer) => {
      expect(value).toBeGreaterThan(recall(first)[layer]!);
    });
    expect(
      second.measured.sweep!.map(({ current, method: { parameters } }) => [current, parameters]),
    ).toEqual([
      [true, { keepFraction: 0.5 }],
      [false, { keepFraction: 0.25 }],
    ]);
    // Pinned now, measured before.
    expect(second.measured.sweep![1]!.points).toBe(first.measured.sweep![0]!.points);
    const fresh = new Engine(createCpuOps(), environment);
    engine = fresh;
    const alone = await run(spec({ method }));
    expect(alone.measured.layers).toEqual(second.measured.layers);
    expect(alone.measured.freeRun!.divergenceByToken).toEqual(second.measured.freeRun!.divergenceByToken);
  });

  test('with a method that needs hidden states reads the text once more, and then no more', async () => {
    await run(spec());
    const method: MethodSpec = { id: 'lorc', parameters: {} };
    const second = await run(spec({ method }));
    expect(readsFullAttention(second.events)).toBe(true);
    expect(second.measured.layers!.every(({ massRecall, spectra }) => massRecall === null && spectra)).toBe(
      true,
    );
    expect(second.measured.freeRun!.divergenceNats).toBeGreaterThan(0);
    // They stay as long as there is room for them.
    const third = await run(spec());
    expect(readsFullAttention(third.events)).toBe(false);
  });

  test('with other queries measures those', async () => {
    const { measured, fulls } = await run(spec({ queriesStart: 90 }), { parts: ['probe'] });
    expect(measured.queries).toEqual({ start: 90, end: TOKENS });
    expect(fulls[0]!.queryStates.length).toBe(6 * 192);
    expect(measured.freeRun).toBeUndefined();
  });
});

describe('a parameter that moves', () => {
  /** Operations that make what a method remembers. */
  const made = ['esaImportance', 'pool', 'lagScores', 'accumulatedAttention'] as const;

  test.each<[string, MethodSpec, MethodSpec, readonly string[]]>([
    ['ESA’s budget', esa, esaWith({ selectedTokens: 8 }), []],
    ['ESA’s proximity', esa, esaWith({ proximity: 1 }), ['pool']],
    ['ESA’s projection', esa, esaWith({ compressedDim: 8 }), ['esaImportance', 'pool']],
    ['LagKV’s budget', lagkv(0.25), lagkv(0.5), []],
    ['LagKV’s budget, as kvpress', lagkv(0.25, 'kvpress'), lagkv(0.5, 'kvpress'), []],
    ['the oracle’s budget', oracle(0.25), oracle(0.5), []],
  ])('%s: computes what depends on it, and the same numbers', async (_, before, after, expected) => {
    await run(spec({ method: before }), { parts: ['probe'] });
    const spies = made.map((name) => vi.spyOn(ops, name));
    const moved = await run(spec({ method: after }), { parts: ['probe'] });
    expect(made.filter((_name, i) => spies[i]!.mock.calls.length > 0)).toEqual(expected);
    await engine.row(3, 1, TOKENS - 1);
    engine = new Engine(createCpuOps(), environment);
    const alone = await run(spec({ method: after }), { parts: ['probe'] });
    expect(moved.measured.layers).toEqual(alone.measured.layers);
    expect(moved.measured.sweep).toEqual(alone.measured.sweep);
  });
});

describe('a run that is cancelled', () => {
  test.each(['full attention', 'measured layers', 'sweep', 'StreamingLLM'])(
    'during %s ends with the reason, and the next one works',
    async (moment) => {
      await run(spec({ source: { kind: 'sample', sample: 'other', tokens: 56 } }));
      const before = ops.memory().bytes;
      const controller = new AbortController();
      const reason = new DOMException('overtaken', 'AbortError');
      let late = 0;
      const cancelled = run(spec(), {
        signal: controller.signal,
        emit(event) {
          if (controller.signal.aborted && event.name !== 'progress') late++;
          if (story([event]).some((line) => line.endsWith(moment))) controller.abort(reason);
        },
      });
      await expect(cancelled).rejects.toBe(reason);
      expect(late, 'nothing follows but what was in flight').toBeLessThanOrEqual(1);
      const next = await run(spec({ source: { kind: 'sample', sample: 'other', tokens: 56 } }));
      expect(next.measured.freeRun).toBeDefined();
      expect(ops.memory().bytes).toBe(before);
    },
  );

  test('before it starts does nothing', async () => {
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(run(spec(), { signal })).rejects.toThrow('too late');
  });
});

describe('memory', () => {
  test('is the same whenever the same text is open', async () => {
    const other = spec({ source: { kind: 'sample', sample: 'other', tokens: 56 } });
    await run(other);
    const first = ops.memory().bytes;
    await run(spec());
    const second = ops.memory().bytes;
    expect(second).toBeGreaterThan(first);
    await attention(piece);
    await coverage(tile);
    await engine.row(3, 2, 90);
    // Still in flight when the text changes.
    const selection = coverage({ ...tile, layer: 7 });
    await run(other);
    await selection.catch(() => {});
    expect(ops.memory().bytes).toBe(first);
    await run(spec());
    expect(ops.memory().bytes).toBe(second);
  });

  test('holds what a method remembers of the open text, and no longer', async () => {
    const other = spec({ source: { kind: 'sample', sample: 'other', tokens: 56 } });
    await run(other);
    const before = ops.memory().bytes;
    await run(spec());
    const opened = ops.memory().bytes;
    await run(spec({ method: esa }));
    const remembered = ops.memory().bytes;
    expect(remembered).toBeGreaterThan(opened);
    await run(spec({ method: esaWith({ selectedTokens: 8 }), pinned: [esa] }));
    expect(ops.memory().bytes, 'another budget needs nothing new').toBe(remembered);
    await run(other);
    expect(ops.memory().bytes).toBe(before);
  });

  test('of one model at a time', async () => {
    await run(spec(), { parts: ['probe'] });
    const before = ops.memory().bytes;
    await run(spec({ model: 'bare' }), { parts: ['probe'] });
    expect(ops.memory().bytes).toBe(before);
  });
});

describe('pictures', () => {
  test('before any text are refused in a sentence', async () => {
    const asked = [async () => attention(piece), async () => coverage(tile), async () => engine.row(0, 0, 0)];
    for (const ask of asked) {
      await expect(ask()).rejects.toSatisfy(isUserError);
      await expect(ask()).rejects.toThrow('The text is not read yet');
    }
  });

  test('have the selection of a layer not looked at before, also once the run has ended and is not heard any more', async () => {
    const controller = new AbortController();
    await run(spec(), { signal: controller.signal });
    controller.abort(new Error('time is measured now'));
    for (const layer of [5, 2]) {
      const { kept } = await coverage({ ...tile, layer });
      const row = kept[0]!.subarray(90 * TILE_PIXELS, 90 * TILE_PIXELS + TOKENS);
      // A quarter of the 84 keys before the queries, and those read since.
      expect(row.reduce((sum, share) => sum + share, 0)).toBe(21 + 7);
    }
  });

  test('come before measurements where somebody looks, and a text that stays open is not told again', async () => {
    engine.look(2, 1);
    await run(spec(), { parts: ['probe'] });
    await coverage(tile);
    const half = { ...streaming, parameters: { keepFraction: 0.5 } };
    const order: string[] = [];
    const { events } = await run(spec({ method: half }), {
      parts: ['probe'],
      emit({ name, value }) {
        if (name === 'measured' && value.cost) order.push('measured');
        // As a page, which hears of it a moment later and asks for a row, too. However long the picture takes.
        if (name === 'selectionReady')
          setTimeout(async () => {
            engine.row(2, 1, 90).then(() => order.push('row'));
            const pace = vi
              .spyOn(ops, 'pace')
              .mockImplementationOnce(() => new Promise((resolve) => setTimeout(resolve, 400)));
            const { kept } = await coverage(tile, half);
            pace.mockRestore();
            order.push(kept.includes(null) ? 'nothing' : 'picture');
          }, 5);
      },
    });
    expect(order[0]).toBe('picture');
    expect(order.slice(1).sort()).toEqual(['measured', 'row']);
    expect(story(events)).not.toContain('textRead');
  });

  test('show the open text and the newest method, and are refused outside it', async () => {
    engine.look(2, 1);
    await run(spec(), { parts: ['probe'] });
    const half = { ...streaming, parameters: { keepFraction: 0.5 } };
    await run(spec({ method: half }), { parts: ['probe'] });
    expect((await coverage(tile, streaming)).kept, 'of the method before').toEqual([null]);
    const { kept } = await coverage(tile, half);
    // 42 of the 84 keys before the queries are kept: 4 sinks, the last 38, and of their own block what query 84 sees.
    const row = [...kept[0]!.subarray(84 * TILE_PIXELS, 84 * TILE_PIXELS + TOKENS)];
    expect(row.map((share, t) => (share === 1 ? t : -1)).filter((t) => t >= 0)).toEqual([
      ...[0, 1, 2, 3],
      ...Array.from({ length: 39 }, (_, i) => 46 + i),
    ]);
    const { weights, fates } = await engine.row(2, 1, 90);
    const { lines } = await attention({ ...piece, lineStart: 90, lineEnd: 91 });
    expect(lines[0]!.maximum.subarray(0, TOKENS)).toEqual(weights);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
    expect(fates).toHaveLength(TOKENS);

    const wrong = [
      () => attention({ ...piece, layer: 8 }),
      () => attention({ ...piece, head: 6 }),
      () => attention({ ...piece, lineEnd: TOKENS + 1 }),
      () => attention({ ...piece, level: 0.5 }),
      () => attention({ ...piece, column: 1 }),
      () => attention({ ...piece, rowStep: 2 }),
      () => coverage({ ...tile, layer: 8 }, half),
      () => coverage({ ...tile, head: 6 }, half),
      () => coverage({ ...tile, row: 1 }, half),
      async () => engine.attention({ text: 'another text', work: [piece] }, noSignal),
      () => engine.row(8, 0, 0),
      () => engine.row(0, 6, 0),
      () => engine.row(0, 0, TOKENS),
    ];
    for (const ask of wrong) await expect(ask()).rejects.toSatisfy(isUserError);
  });
});

describe('what cannot be run is said in a sentence, and what was open stays', () => {
  test.each<[string, Partial<StudySpec>, RegExp]>([
    ['an unknown method', { method: { id: 'sparse', parameters: {} } }, /no method "sparse"/],
    ['a wrong parameter', { method: { ...streaming, parameters: { keepFraction: 2 } } }, /keepFraction/],
    [
      'a wrong parameter of a pinned method',
      { pinned: [{ ...esa, parameters: { epsilon: 1 } }] },
      /"epsilon"/,
    ],
    ['an empty text', { source: { kind: 'text', text: ' ' } }, /The text is empty/],
  ])('%s', async (_, change, pattern) => {
    await expect(run(spec(change))).rejects.toSatisfy((error) => {
      expect((error as Error).message).toMatch(pattern);
      return isUserError(error);
    });
  });

  test('a model that is not there', async () => {
    const bare: StudyEnvironment = { ...environment, modelFolder: (name) => nodeFolder(name) };
    engine = new Engine(ops, bare);
    await expect(run(spec({ model: 'nowhere' }))).rejects.toSatisfy(isUserError);
    await run(spec({ model: 'samples/model' }), { parts: ['probe'] });
  });
});

describe('a worker with only the free run', () => {
  test('waits for full attention’s result and compares with it', async () => {
    const together = await run(spec());
    engine = new Engine(createCpuOps(), environment);
    let give: (full: FullRun) => void = () => {};
    const full = new Promise<FullRun>((resolve) => {
      give = resolve;
    });
    const free = run(spec(), {
      parts: ['free'],
      full,
      emit: (event) => story([event]).includes('progress StreamingLLM') && give(together.fulls[0]!),
    });
    const { events, measured } = await free;
    expect(events.some(({ name }) => name === 'model' || name === 'text')).toBe(false);
    expect(readsFullAttention(events)).toBe(false);
    const { divergenceByToken, answer } = together.measured.freeRun!;
    expect(measured.freeRun).toMatchObject({ divergenceByToken, answer });
  });

  test('reads the text itself where ESA has no calibration', async () => {
    const { fulls } = await run(spec({ model: 'bare', method: esa }), { parts: ['probe'] });
    engine = new Engine(createCpuOps(), environment);
    const only = { parts: ['free'] as const, full: Promise.resolve(fulls[0]!) };
    const bare = await run(spec({ model: 'bare', method: esa }), only);
    expect(readsFullAttention(bare.events)).toBe(true);
    expect(bare.measured.freeRun!.divergenceNats).toBeGreaterThan(0);

    const calibrated = await run(spec({ method: esa }), only);
    expect(readsFullAttention(calibrated.events)).toBe(false);
    // Other second moments, another projection.
    expect(calibrated.measured.freeRun!.divergenceNats).not.toBe(bare.measured.freeRun!.divergenceNats);
  });
});
