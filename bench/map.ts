/** The map's pipeline as the page uses it: scheduler, cache, kernels and colours, on texts of random queries and keys. */

import { colourTablesOf } from '../components/map/colour-tables';
import type { MapSubject } from '../components/map/level-canvas';
import { MapRenderer } from '../components/map/renderer';
import { levelOf, wholeRegion } from '../components/map/viewport';
import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import { headMajorRows, sliceRows, tokenMajorRows } from '../gpu/rows';
import { attentionOfTiles } from '../src/tiles/attention';
import { FirstWeights } from '../src/tiles/factors';
import type { MapRegion } from '../src/tiles/grid';
import { TILE_PIXELS, tilesIn } from '../src/tiles/grid';
import { TilePyramid } from '../src/tiles/pyramid';
import type { LayerTrace, Trace } from '../src/trace/trace';
import { installBlankCanvas } from './map-canvas';
import { follow, mapTrace } from './map-trace';
import { randomFloats } from './random';
import type { Bench, Section } from './section';

/** The one text, under the model's positions. */
const PICTURE = { text: 'text', positions: null };
/** Device pixels of the map on a large window. */
const SCREEN = { width: 1024, height: 896 };
const HEADS = 6;
const CHANNELS = 32;
const BLOCK_TOKENS = 1024;
const NEW_VIEWS = 40;

export const map: Section = {
  name: 'map',
  title: `Zooming in the map, ${SCREEN.width} × ${SCREEN.height} pixels`,
  needsGpu: false,
  async run(bench) {
    // As the page does, while it reads.
    await bench.ops.warmUp('study');
    const isSlow = bench.ops.backend === 'cpu' || bench.ops.isSoftware;
    const long = await openMap(bench.ops, isSlow ? 4096 : 32_768, 1);
    await replay(bench, long);
    await jump(bench, long);
    await long.release();
    const many = await openMap(bench.ops, 4096, isSlow ? 2 : 8);
    await checkTile(bench.ops, many);
    await switchHeads(bench, many);
    await many.release();
  },
};

/** Milliseconds from a change of view until something real stood everywhere, and until all of it was exact. */
interface Step {
  readonly shown: number;
  readonly exact: number;
  /** Whether a tile had to be made for it. */
  readonly isNew: boolean;
}

interface Place {
  readonly layer: number;
  readonly head: number;
  readonly region: MapRegion;
}

interface OpenMap {
  readonly text: Trace;
  readonly pyramid: TilePyramid;
  look(place: Place): Promise<Step>;
  release(): Promise<void>;
}

async function openMap(ops: Ops, tokens: number, layers: number): Promise<OpenMap> {
  const { text, release } = await randomText(ops, tokens, layers);
  const firstWeights = new FirstWeights(text);
  const inFlight = new Set<Promise<unknown>>();
  const pyramid = new TilePyramid({
    source: {
      attention({ work }, signal) {
        const made = attentionOfTiles(text, work, signal, firstWeights);
        inFlight.add(made);
        return made.finally(() => inFlight.delete(made));
      },
      coverage: async ({ tiles }) => ({ kept: tiles.map(() => null) }),
    },
  });
  const context = installBlankCanvas();
  const renderer = new MapRenderer(pyramid);
  let hear = (): void => {};
  pyramid.listen((changed) => {
    renderer.invalidate(changed);
    hear();
  });
  let subject: MapSubject | null = null;
  const colours = colourTablesOf('dark');
  return {
    text,
    pyramid,
    async release() {
      pyramid.dispose();
      await Promise.allSettled(inFlight);
      firstWeights.close();
      release();
    },
    async look({ layer, head, region }) {
      if (subject?.layer !== layer || subject.head !== head) {
        subject = { ...PICTURE, tokens, layer, head, shown: 'full', pooling: 'maximum', colours };
      }
      const { width, height } = SCREEN;
      const level = levelOf(region, width, height);
      const focus = {
        query: (region.rowStart + region.rowEnd) / 2,
        key: (region.columnStart + region.columnEnd) / 2,
      };
      const frame = { subjects: [subject], region, level, focus, split: 1, pictures: [null] };
      const places = tilesIn(region, level, tokens);
      const start = performance.now();
      let shown = 0;
      pyramid.show({ ...PICTURE, tokens, method: 'none', layer, head, region, level, focus });
      const isNew = !pyramid.isComplete();
      for (;;) {
        const news = new Promise<void>((resolve) => {
          hear = resolve;
        });
        const isUnfinished = renderer.draw(context, frame, width, height);
        if (!isUnfinished) {
          const isThere =
            shown > 0 || places.every((at) => pyramid.attention(PICTURE, { layer, head, ...at }, tokens));
          if (isThere && shown === 0) shown = performance.now() - start;
          if (pyramid.isComplete()) return { shown, exact: performance.now() - start, isNew };
          await news;
        }
      }
    },
  };
}

/** Random queries and keys, and the log-sum-exp that belongs to them. */
async function randomText(
  ops: Ops,
  tokens: number,
  layers: number,
): Promise<{ text: Trace; release: () => void }> {
  const shape = [HEADS, tokens, CHANNELS] as const;
  const upload = (seed: number) => {
    const data = randomFloats(HEADS * tokens * CHANNELS, seed).map((value) => 3 * value);
    return headMajorRows(ops.upload(data, 'random rows'), ...shape);
  };
  const out = ops.allocate('f32', HEADS * BLOCK_TOKENS * CHANNELS, 'attention');
  const recorded: LayerTrace[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const [query, key] = [upload(2 * layer + 1), upload(2 * layer + 2)];
    const logSumExp = { buffer: ops.allocate('f32', HEADS * tokens, 'lse'), offset: 0, headStride: tokens };
    for (let start = 0; start < tokens; start += BLOCK_TOKENS) {
      const rows = Math.min(BLOCK_TOKENS, tokens - start);
      const seen = sliceRows(key, 0, start + rows);
      ops.attention({
        ...{ query: sliceRows(query, start, rows), key: seen, value: seen, scale: CHANNELS ** -0.5 },
        visible: { range: { start: 0, end: start + rows, causal: true } },
        out: tokenMajorRows(out, HEADS, rows, CHANNELS),
        logSumExp: { ...logSumExp, offset: start },
      });
      await ops.pace();
    }
    const absent = { queryUnrotated: null, keyUnrotated: null, hidden: null };
    recorded.push({ layer, query, key, value: key, ...absent, logSumExp });
  }
  await ops.readFloats(out, 0, 1);
  ops.release(out);
  return {
    text: {
      ...{ ops, layers, tokens, queryHeads: HEADS, keyValueHeads: HEADS, headDimension: CHANNELS },
      ...{
        scores: { scale: CHANNELS ** -0.5 },
        rotationOf: () => null,
        ropeOf: () => null,
        positionOffset: 0,
        trainedTokens: null,
        answerStart: null,
      },
      ...{
        calibration: null,
        layerTraces: recorded,
        outputWeight: () => null,
        injected: () => null,
        projection: null,
        rereading: null,
      },
    },
    release() {
      for (const { query, key, logSumExp } of recorded) {
        ops.release(query.buffer, key.buffer, logSumExp.buffer);
      }
    },
  };
}

async function replay(bench: Bench, { text, look }: OpenMap): Promise<void> {
  const steps: Step[] = [];
  let region = wholeRegion(text.tokens);
  for (const step of mapTrace()) {
    region = follow(region, text.tokens, step);
    steps.push(await look({ layer: 0, head: 0, region }));
  }
  const name = `trace of ${steps.length} steps at ${text.tokens} tokens, cold cache`;
  report(bench, name, steps);
  const made = steps.filter(({ isNew }) => isNew);
  report(bench, `the ${made.length} of them that needed new tiles`, made);
}

async function jump(bench: Bench, { text, pyramid, look }: OpenMap): Promise<void> {
  const steps: Step[] = [];
  const random = randomFloats(3 * NEW_VIEWS, 7).map((value) => (value + 1) / 2);
  for (let i = 0; i < NEW_VIEWS; i++) {
    const [depth, down, across] = random.subarray(3 * i, 3 * i + 3);
    const size = text.tokens ** (1 - 0.7 * depth!);
    const rowStart = (text.tokens - size) * down!;
    const columnStart = rowStart * across!;
    pyramid.clear();
    const region = { rowStart, rowEnd: rowStart + size, columnStart, columnEnd: columnStart + size };
    steps.push(await look({ layer: 0, head: i % HEADS, region }));
  }
  report(bench, `new views at ${text.tokens} tokens, nothing cached`, steps);
}

async function switchHeads(bench: Bench, { text, pyramid, look }: OpenMap): Promise<void> {
  const steps: Step[] = [];
  pyramid.clear();
  const region = wholeRegion(text.tokens);
  for (let at = 0; at < text.layers * HEADS; at++) {
    steps.push(await look({ layer: at % text.layers, head: Math.floor(at / text.layers), region }));
  }
  report(bench, `another layer or head at ${text.tokens} tokens, the whole map`, steps);
}

function report(bench: Bench, name: string, steps: readonly Step[]): void {
  const ofKind = (kind: 'shown' | 'exact') => {
    const sorted = steps.map((step) => step[kind]).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
    return { median: at(0.5), p95: at(0.95), largest: at(1) };
  };
  const line = ({ median, p95, largest }: ReturnType<typeof ofKind>) =>
    `median ${median.toFixed(1)}, 95 % within ${p95.toFixed(1)}, all within ${largest.toFixed(1)} ms`;
  const [shown, exact] = [ofKind('shown'), ofKind('exact')];
  bench.print(
    `${name}\n  something real everywhere: ${line(shown)}\n  exact:                     ${line(exact)}`,
  );
  bench.figure(name, { steps: steps.length, shown, exact });
}

/** @throws if a tile is not what the reference gives */
async function checkTile(ops: Ops, { text }: OpenMap): Promise<void> {
  const work = [
    { ...{ layer: 1, head: 2, level: 1, row: 7, column: 5 }, lineStart: 0, lineEnd: TILE_PIXELS, rowStep: 1 },
  ];
  const { signal } = new AbortController();
  const own = new FirstWeights(text);
  const made = await attentionOfTiles(text, work, signal, own);
  own.close();
  const cpu = createCpuOps({ simd: false });
  const recorded = text.layerTraces[1]!;
  const move = async ({ buffer }: { buffer: LayerTrace['query']['buffer'] }) =>
    cpu.upload(await ops.readFloats(buffer), 'copy');
  const layer = {
    ...recorded,
    query: { ...recorded.query, buffer: await move(recorded.query) },
    key: { ...recorded.key, buffer: await move(recorded.key) },
    logSumExp: { ...recorded.logSumExp, buffer: await move(recorded.logSumExp) },
  };
  const copy = { ...text, ops: cpu, layerTraces: [layer] };
  const expected = await attentionOfTiles(copy, work, signal, new FirstWeights(copy));
  for (const kind of ['maximum', 'mean'] as const) {
    const right = expected.lines[0]![kind];
    const isWrong = made.lines[0]![kind].some((weight, i) => !(Math.abs(weight - right[i]!) < 1e-5));
    if (isWrong) throw new Error(`the ${kind} of a tile is wrong`);
  }
  cpu.destroy();
}
