import type { Ops } from '../gpu/ops';
import { openModel } from '../src/engine/open-model';
import { sweep } from '../src/measure/sweep';
import { contextOf } from '../src/measure/trace-run';
import { methodById } from '../src/methods';
import type { MethodSpec } from '../src/methods/method-spec';
import { resolveParameters } from '../src/methods/parameters';
import { forward } from '../src/model/decoder/forward';
import { nodeFolder } from '../src/model/files/folder-node';
import { traceOfSession } from '../src/trace/from-decoder';
import { LiveStudy, median, type Times } from './live-study';
import type { Section } from './section';
import type { Measurement } from './timing';

/** Four times the bundled model's trained length on a real GPU, what the page opens with on the CPU. */
const TOKENS = { gpu: 4096, cpu: 1024, software: 256 };
/** Tokens selected, per 4,096 of the text, of one slider moved up and down: no value comes twice, so that nothing is at hand. */
const MOVES = [240, 200, 160, 128, 96, 80, 64, 256, 208, 176];
/** More than the page's own sweep has. */
const POINTS = 16;
/** Sweeps and free runs wait for JavaScript, the first ones for its compilation: told is the median of those after them. */
const ROUNDS = { gpu: { warmUps: 2, repeats: 5 }, others: { warmUps: 1, repeats: 1 } };

const roundsOn = ({ backend, isSoftware }: Ops) =>
  backend === 'cpu' || isSoftware ? ROUNDS.others : ROUNDS.gpu;

const esa = (selectedTokens: number, change: MethodSpec['parameters'] = {}): MethodSpec => ({
  id: 'esa',
  parameters: { selectedTokens, ...change },
});

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
  yield measured('open a study', (await study.run(esa(selected(144)), ['probe'])).done);
  const moves: Times[] = [];
  for (const count of MOVES) moves.push(await study.move(esa(selected(count)), 'picture and layers'));
  const both = ({ picture, layers }: Times): number => Math.max(picture, layers);
  yield measured('moved slider, visible map', median(moves.map(({ picture }) => picture)));
  yield measured('moved slider, all layers and map', median(moves.map(both)));
  yield measured('moved slider, the slowest of ten', Math.max(...moves.map(both)));
  // Another proximity: its curve is measured anew.
  yield measured(
    'sweep, 12 points of all layers',
    (await study.run(esa(selected(144), { proximity: 2 }), ['probe'])).sweep,
  );
  yield measured(`sweep, ${POINTS} points of all layers`, await sweepMilliseconds(ops, tokens));
  const { warmUps, repeats } = roundsOn(ops);
  const freeRuns: number[] = [];
  for (let run = 0; run < warmUps + repeats; run++)
    freeRuns.push((await study.run(esa(selected(145 + run)), ['probe', 'free'])).freeRun);
  yield measured('free run', median(freeRuns.slice(warmUps)));
}

/** ESA's sweep with nothing of it at hand but the keys and queries of full attention. */
async function sweepMilliseconds(ops: Ops, tokens: number): Promise<number> {
  const { decoder, config, calibration } = await openModel(ops, nodeFolder('samples/model'));
  const ids = Uint32Array.from({ length: tokens }, (_, i) => (i * 7919 + (i >> 5)) % config.vocabularySize);
  const { reader } = await forward(decoder, ids, { keepStates: 'none' });
  const text = traceOfSession(decoder, reader, { tokens, calibration });
  const method = methodById('esa');
  const parameters = resolveParameters(method, {}, contextOf(text));
  const fractions = Array.from({ length: POINTS }, (_, i) => 64 ** (i / (POINTS - 1) - 1));
  const queries = { start: tokens - Math.ceil(tokens / 8), end: tokens };
  const { warmUps, repeats } = roundsOn(ops);
  const times: number[] = [];
  for (let run = 0; run < warmUps + repeats; run++) {
    const start = performance.now();
    const [curve] = await sweep({
      text,
      methods: [{ method, parameters, current: true }],
      fractions,
      queries,
    });
    times.push(performance.now() - start);
    if (curve?.points.at(-1)?.massRecall?.toFixed(4) !== '1.0000') throw new Error('keeping all loses mass');
  }
  text.release();
  decoder.release();
  return median(times.slice(warmUps));
}
