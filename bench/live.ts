import type { Ops } from '../gpu/ops';
import { nodeEnvironment } from '../src/cli/node-environment';
import { Engine } from '../src/study/engine';
import { methodKey, textKey } from '../src/study/key';
import type { Part, PostedEvent } from '../src/study/protocol';
import { levelFor, tilesIn } from '../src/study/tile-grid';
import type { MethodSpec, StudySpec } from '../src/study/types';
import type { Measurement } from './timing';

/** A real GPU reads four times the bundled model's trained length; software and the CPU what the page opens with. */
const LONG_TOKENS = 4096;
const SHORT_TOKENS = 1024;
/** One slider moved up and down: no value comes twice, so that nothing is merely remembered. */
const SELECTED_TOKENS = [240, 200, 160, 120, 100, 80, 60, 250, 210, 170];
const VISIBLE = { layer: 5, head: 1 };
const MAP_PIXELS = 512;

/**
 * What a person who moves a slider waits for, through the engine as the page uses it: ESA's `selectedTokens` on a task of four
 * needles; until the visible layer's map with its selection is there, and until all layers are measured. Then a sweep of
 * all layers, and a free run with its answer.
 */
export async function* measureLive(ops: Ops): AsyncGenerator<Measurement> {
  const tokens = ops.backend === 'cpu' || ops.isSoftware ? SHORT_TOKENS : LONG_TOKENS;
  const live = new LiveStudy(ops, tokens);
  const size = `${tokens} tokens, ${ops.backend}`;
  const row = (name: string, milliseconds: number): Measurement => ({
    name,
    size,
    milliseconds,
    flops: 0,
    bytes: 0,
  });
  const opening = await live.run(128, ['probe']);
  yield row('open a study', opening.done);
  const moves: Times[] = [];
  for (const count of SELECTED_TOKENS) moves.push(await live.move(count));
  const median = (of: (times: Times) => number): number =>
    moves.map(of).sort((a, b) => a - b)[Math.floor(moves.length / 2)];
  yield row(
    'moved slider, visible map',
    median(({ picture }) => picture),
  );
  yield row(
    'moved slider, all layers',
    median(({ layers }) => layers),
  );
  yield row(
    'moved slider, slowest',
    Math.max(...moves.map(({ picture, layers }) => Math.max(picture, layers))),
  );
  // Another proximity: its curve is measured anew.
  yield row('sweep of 12 points, all layers', (await live.run(128, ['probe'], { proximity: 2 })).sweep);
  await live.run(140, ['probe', 'free']);
  yield row('free run', (await live.run(130, ['probe', 'free'])).freeRun);
}

/** Milliseconds since the run began, and how long its last parts took. */
interface Times {
  /** The visible layer's map with its selection. */
  picture: number;
  /** Measurements of every layer. */
  layers: number;
  sweep: number;
  freeRun: number;
  done: number;
}

class LiveStudy {
  private readonly engine: Engine;
  private readonly tokens: number;

  constructor(ops: Ops, tokens: number) {
    this.engine = new Engine(ops, nodeEnvironment());
    this.engine.look(VISIBLE.layer, VISIBLE.head);
    this.tokens = tokens;
  }

  /** A run that the next move of the slider overtakes once everything visible is there. */
  async move(selectedTokens: number): Promise<Times> {
    const controller = new AbortController();
    const times = await this.run(selectedTokens, ['probe'], {}, controller, (soFar) => {
      if (soFar.picture > 0 && soFar.layers > 0)
        controller.abort(new DOMException('overtaken', 'AbortError'));
    });
    return times;
  }

  async run(
    selectedTokens: number,
    parts: readonly Part[],
    change: MethodSpec['parameters'] = {},
    controller = new AbortController(),
    onTimes: (times: Times) => void = () => {},
  ): Promise<Times> {
    const times: Times = { picture: 0, layers: 0, sweep: 0, freeRun: 0, done: 0 };
    const method: MethodSpec = { id: 'esa', parameters: { selectedTokens, ...change } };
    const spec: StudySpec = {
      model: 'bundled',
      source: { kind: 'task', task: 'four-needles', tokens: this.tokens, depth: 'spread', seed: 7 },
      method,
      pinned: [],
      queriesStart: null,
    };
    const start = performance.now();
    const picture: Promise<void>[] = [];
    const emit = ({ name, value }: PostedEvent): void => {
      const now = performance.now() - start;
      if (name === 'selectionReady' && picture.length === 0)
        picture.push(this.cover(spec, start, times, onTimes));
      if (name === 'measured' && value.layers?.length === 8) times.layers ||= now;
      if (name === 'timing') {
        times.sweep = value.sweep ?? 0;
        times.freeRun = value.freeRun ?? 0;
      }
      onTimes(times);
    };
    const { signal } = controller;
    await this.engine
      .run({ spec, parts, signal, emit, onFull: () => {}, full: null })
      .catch((reason: unknown) => {
        if (reason !== signal.reason) throw reason;
      });
    await Promise.all(picture);
    times.done = performance.now() - start;
    return times;
  }

  /** What the method keeps of every tile of the visible head's map: full attention's tiles are there already. */
  private async cover(
    spec: StudySpec,
    start: number,
    times: Times,
    onTimes: (times: Times) => void,
  ): Promise<void> {
    const { tokens } = this;
    const whole = { rowStart: 0, rowEnd: tokens, columnStart: 0, columnEnd: tokens };
    const tiles = tilesIn(whole, levelFor(tokens, MAP_PIXELS), tokens).map((place) => ({
      ...place,
      ...VISIBLE,
    }));
    const request = { text: textKey(spec), method: methodKey(spec.method), tiles };
    const { kept } = await this.engine.coverage(request, new AbortController().signal);
    if (kept.includes(null)) throw new Error('the map has no selection');
    times.picture = performance.now() - start;
    onTimes(times);
  }
}
