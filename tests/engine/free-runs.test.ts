/** Free runs of the bundled model beside those that tests/fixtures/free_runs.py computed outside the program, in float64. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { type Generation, generate } from '../../src/engine/generation';
import { type OpenModel, openModel } from '../../src/engine/open-model';
import { parameterContext } from '../../src/engine/resolve';
import { DivergenceSums } from '../../src/measure/divergence';
import { logitBlocks } from '../../src/measure/logits';
import { methodById } from '../../src/methods';
import { full } from '../../src/methods/full';
import { resolveParameters } from '../../src/methods/parameters';
import { nodeFolder } from '../../src/model/files/folder-node';
import { readSafetensors } from '../../src/model/files/safetensors';

interface FreeRun {
  readonly ids: readonly number[];
  readonly answerStart: number;
  readonly queriesStart: number;
  readonly method: string;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly generated: readonly number[];
  readonly generatedFull: readonly number[];
  readonly lossNats: number;
  readonly top1Agreement: number;
}

const folder = new URL('../fixtures/', import.meta.url);
const { everyLogit, runs } = JSON.parse(readFileSync(new URL('free-runs.json', folder), 'utf8')) as {
  readonly everyLogit: number;
  readonly runs: Readonly<Record<string, FreeRun>>;
};
const expected = readSafetensors(readFileSync(new URL('free-runs.safetensors', folder)), 'free-runs');

/** Of the largest logit: rounding of 32 bits through eight layers. */
const LOGIT_TOLERANCE = 2e-5;
const NATS_TOLERANCE = 2e-5;

const ops = createCpuOps();
let model: OpenModel;
beforeAll(async () => {
  model = await openModel(ops, nodeFolder(new URL('../../samples/model', import.meta.url).pathname));
});

async function freeRun(run: FreeRun, isFull: boolean): Promise<Generation> {
  const method = isFull ? full : methodById(run.method);
  const context = parameterContext(model, run.ids.length);
  const reading = await generate({
    decoder: model.decoder,
    method,
    parameters: resolveParameters(method, isFull ? {} : run.parameters, context),
    calibration: model.calibration,
    layerTraces: null,
    ids: Uint32Array.from(run.ids),
    answerStart: run.answerStart,
    queriesStart: run.queriesStart,
    keepQueries: false,
    isAnswerComplete: (generated) => generated.length >= run.generated.length,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  reading.session.release();
  return reading;
}

async function logitsOf({ queryStates }: Generation): Promise<Float32Array> {
  const blocks: Float32Array[] = [];
  for await (const { logits } of logitBlocks(model.decoder, queryStates)) blocks.push(logits);
  const all = new Float32Array(blocks.reduce((length, block) => length + block.length, 0));
  let offset = 0;
  for (const block of blocks) {
    all.set(block, offset);
    offset += block.length;
  }
  return all;
}

/** The engine stops at an end token; the reference goes on. */
function expectSameAnswer(actual: readonly number[] | null, reference: readonly number[]): void {
  const ends = model.config.eosTokens;
  const end = reference.findIndex((token) => ends.includes(token));
  expect(actual).toEqual(reference.slice(0, end < 0 ? reference.length : end + 1));
}

describe('a free run is the one computed outside the program', () => {
  for (const [name, run] of Object.entries(runs)) {
    test(name, async () => {
      const reading = await freeRun(run, false);
      const reference = await freeRun(run, true);
      expectSameAnswer(reading.generated, run.generated);
      expectSameAnswer(reference.generated, run.generatedFull);

      const logits = await logitsOf(reading);
      const { vocabularySize } = model.config;
      const rows = run.ids.length - run.queriesStart;
      expect(logits).toHaveLength(rows * vocabularySize);
      const wanted = expected.float32(`${name}.logits`);
      const columns = wanted.length / rows;
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      let worst = 0;
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const actual = logits[row * vocabularySize + column * everyLogit]!;
          worst = Math.max(worst, Math.abs(actual - wanted[row * columns + column]!));
        }
      }
      expect(worst / largest).toBeLessThan(LOGIT_TOLERANCE);

      const sums = new DivergenceSums(vocabularySize);
      sums.add(await logitsOf(reference), logits, run.ids.slice(run.queriesStart + 1));
      const divergence = sums.result();
      const nats = expected.float32(`${name}.divergence`);
      divergence.divergenceByToken.forEach((value, row) => {
        expect(Math.abs(value - nats[row]!)).toBeLessThan(NATS_TOLERANCE * Math.max(1, nats[row]!));
      });
      expect(divergence.lossNats).toBeCloseTo(run.lossNats, 4);
      expect(divergence.top1Agreement).toBeCloseTo(run.top1Agreement, 12);
    });
  }
});
