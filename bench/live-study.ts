/** A study in the engine, whose parameters move: what a person waits for. */
import type { Ops } from '../gpu/ops';
import { nodeEnvironment } from '../src/cli/node-environment';
import { Engine } from '../src/engine/engine';
import type { Part, PostedEvent } from '../src/engine/events';
import type { LayerMeasurement } from '../src/measure/results';
import type { MethodSpec } from '../src/methods/method-spec';
import { methodKey } from '../src/methods/method-spec';
import type { StudySpec } from '../src/study/spec';
import { textKey } from '../src/study/spec';
import { levelFor, tilesIn } from '../src/tiles/grid';

/** Of the bundled model. */
const LAYERS = 8;
const VISIBLE = { layer: 5, head: 1 };
const MAP_PIXELS = 512;

/** The middle one, or the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? 0) + (high ?? 0)) / 2;
}

/** Milliseconds since the run began, and how long its last parts took. */
export interface Times {
  /** The visible layer's map with its selection. */
  picture: number;
  /** Measurements of every layer. */
  layers: number;
  sweep: number;
  freeRun: number;
  done: number;
  /** What was measured of every layer. */
  measured: readonly LayerMeasurement[];
}

interface RunOptions {
  readonly controller?: AbortController;
  readonly onTimes?: (times: Times) => void;
  /** Whether the visible head's map is asked for as soon as it can be. */
  readonly withPicture?: boolean;
}

/** A task of four needles, open in an engine as the page has it. */
export class LiveStudy {
  readonly #engine: Engine;
  readonly #tokens: number;

  constructor(ops: Ops, tokens: number, environment = nodeEnvironment()) {
    this.#engine = new Engine(ops, environment);
    this.#engine.look(VISIBLE.layer, VISIBLE.head);
    this.#tokens = tokens;
  }

  /** A run that the next move overtakes once what is waited for is there. */
  async move(method: MethodSpec, until: 'layers' | 'picture and layers'): Promise<Times> {
    const controller = new AbortController();
    const withPicture = until !== 'layers';
    const onTimes = (soFar: Times): void => {
      if (soFar.layers > 0 && (soFar.picture > 0 || !withPicture))
        controller.abort(new DOMException('overtaken', 'AbortError'));
    };
    const times = await this.run(method, ['probe'], { controller, onTimes, withPicture });
    return times;
  }

  async run(
    method: MethodSpec,
    parts: readonly Part[],
    { controller = new AbortController(), onTimes = () => {}, withPicture = true }: RunOptions = {},
  ): Promise<Times> {
    const times: Times = { picture: 0, layers: 0, sweep: 0, freeRun: 0, done: 0, measured: [] };
    const spec: StudySpec = {
      model: 'bundled',
      source: { kind: 'task', task: 'four-needles', tokens: this.#tokens, depth: 'spread', seed: 7 },
      method,
      pinned: [],
      queriesStart: null,
      startToken: null,
    };
    const start = performance.now();
    const picture: Promise<void>[] = [];
    const emit = ({ name, value }: PostedEvent): void => {
      const now = performance.now() - start;
      if (name === 'selectionReady' && withPicture && picture.length === 0)
        picture.push(this.#cover(spec, start, times, onTimes));
      if (name === 'measured' && value.layers?.length === LAYERS) {
        times.layers ||= now;
        times.measured = value.layers;
      }
      if (name === 'timing') {
        times.sweep = value.sweep ?? 0;
        times.freeRun = value.freeRun ?? 0;
      }
      onTimes(times);
    };
    const { signal } = controller;
    await this.#engine
      .run({ spec, parts, signal, emit, onFull: () => {}, full: null })
      .catch((reason: unknown) => {
        if (reason !== signal.reason) throw reason;
      });
    await Promise.all(picture);
    times.done = performance.now() - start;
    return times;
  }

  /** What the method keeps of every tile of the visible head's map: full attention's tiles are there already. */
  async #cover(spec: StudySpec, start: number, times: Times, onTimes: (times: Times) => void): Promise<void> {
    const tokens = this.#tokens;
    const whole = { rowStart: 0, rowEnd: tokens, columnStart: 0, columnEnd: tokens };
    const tiles = tilesIn(whole, levelFor(tokens, MAP_PIXELS), tokens).map((place) => ({
      ...place,
      ...VISIBLE,
    }));
    const request = { text: textKey(spec), method: methodKey(spec.method), tiles };
    const { kept } = await this.#engine.coverage(request, new AbortController().signal);
    if (kept.includes(null)) throw new Error('the map has no selection');
    times.picture = performance.now() - start;
    onTimes(times);
  }
}
