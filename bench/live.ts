import type { Ops } from '../gpu/ops';
import { nodeEnvironment } from '../src/cli/node-environment';
import { Engine } from '../src/engine/engine';
import type { Part, PostedEvent } from '../src/engine/events';
import { openModel } from '../src/engine/open-model';
import { sweep } from '../src/measure/sweep';
import { contextOf } from '../src/measure/trace-run';
import { methodById } from '../src/methods';
import type { MethodSpec } from '../src/methods/method-spec';
import { methodKey } from '../src/methods/method-spec';
import { resolveParameters } from '../src/methods/parameters';
import { forward } from '../src/model/decoder/forward';
import { nodeFolder } from '../src/model/files/folder-node';
import type { StudySpec } from '../src/study/spec';
import { textKey } from '../src/study/spec';
import { levelFor, tilesIn } from '../src/tiles/grid';
import { traceOfSession } from '../src/trace/from-decoder';
import type { Section } from './section';
import type { Measurement } from './timing';

/** Four times the bundled model's trained length on a real GPU, what the page opens with on the CPU. */
const TOKENS = { gpu: 4096, cpu: 1024, software: 256 };
/** Tokens selected, per 4,096 of the text, of one slider moved up and down: no value comes twice, so that nothing is at hand. */
const MOVES = [240, 200, 160, 128, 96, 80, 64, 256, 208, 176];
const VISIBLE = { layer: 5, head: 1 };
const MAP_PIXELS = 512;
/** More than the page's own sweep has. */
const POINTS = 16;

/**
 * What a person who moves a slider waits for, through the engine as the page uses it: ESA's `selectedTokens` on a task of four
 * needles, until the visible head's map shows the new selection, and until all layers are measured. Then a sweep of all
 * layers, and a free run with its answer.
 */
export const live: Section = {
  name: 'live',
  title: 'A parameter moves',
  needsGpu: false,
  async run({ ops, row }) {
    for await (const measurement of measureLive(ops)) row(measurement);
  },
};

async function* measureLive(ops: Ops): AsyncGenerator<Measurement> {
  const tokens = TOKENS[ops.backend === 'cpu' ? 'cpu' : ops.isSoftware ? 'software' : 'gpu'];
  const selected = (per4096: number): number => Math.round((per4096 * tokens) / 4096);
  const study = new LiveStudy(ops, tokens);
  const size = `${tokens} tokens, ${ops.backend}`;
  const measured = (name: string, milliseconds: number): Measurement => ({
    name,
    size,
    milliseconds,
    flops: 0,
    bytes: 0,
  });
  yield measured('open a study', (await study.run(selected(144), ['probe'])).done);
  const moves: Times[] = [];
  for (const count of MOVES) moves.push(await study.move(selected(count)));
  const median = (of: (times: Times) => number): number =>
    moves.map(of).sort((a, b) => a - b)[Math.floor(moves.length / 2)] ?? 0;
  const both = ({ picture, layers }: Times): number => Math.max(picture, layers);
  yield measured(
    'moved slider, visible map',
    median(({ picture }) => picture),
  );
  yield measured('moved slider, all layers and map', median(both));
  yield measured('moved slider, the slowest of ten', Math.max(...moves.map(both)));
  // Another proximity: its curve is measured anew.
  yield measured(
    'sweep, 12 points of all layers',
    (await study.run(selected(144), ['probe'], { proximity: 2 })).sweep,
  );
  yield measured(`sweep, ${POINTS} points of all layers`, await sweepMilliseconds(ops, tokens));
  await study.run(selected(145), ['probe', 'free']);
  yield measured('free run', (await study.run(selected(146), ['probe', 'free'])).freeRun);
}

/** ESA's sweep with nothing of it at hand but the keys and queries of full attention; the second one, when all is compiled. */
async function sweepMilliseconds(ops: Ops, tokens: number): Promise<number> {
  const { decoder, config, calibration } = await openModel(ops, nodeFolder('samples/model'));
  const ids = Uint32Array.from({ length: tokens }, (_, i) => (i * 7919 + (i >> 5)) % config.vocabularySize);
  const { reader } = await forward(decoder, ids, { keepStates: false });
  const text = traceOfSession(decoder, reader, { tokens, calibration });
  const method = methodById('esa');
  const parameters = resolveParameters(method, {}, contextOf(text));
  const fractions = Array.from({ length: POINTS }, (_, i) => 64 ** (i / (POINTS - 1) - 1));
  const queries = { start: tokens - Math.ceil(tokens / 8), end: tokens };
  let milliseconds = 0;
  for (let i = 0; i < 2; i++) {
    const start = performance.now();
    const [curve] = await sweep({
      text,
      methods: [{ method, parameters, current: true }],
      fractions,
      queries,
    });
    milliseconds = performance.now() - start;
    if (curve?.points.at(-1)?.massRecall?.toFixed(4) !== '1.0000') throw new Error('keeping all loses mass');
  }
  text.release();
  decoder.release();
  return milliseconds;
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
  readonly #engine: Engine;
  readonly #tokens: number;

  constructor(ops: Ops, tokens: number) {
    this.#engine = new Engine(ops, nodeEnvironment());
    this.#engine.look(VISIBLE.layer, VISIBLE.head);
    this.#tokens = tokens;
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
      if (name === 'selectionReady' && picture.length === 0)
        picture.push(this.#cover(spec, start, times, onTimes));
      if (name === 'measured' && value.layers?.length === 8) times.layers ||= now;
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
