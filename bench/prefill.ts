import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import { nodeEnvironment, sampleTexts } from '../src/cli/node-environment';
import { generate } from '../src/engine/generation';
import { type OpenModel, openModel } from '../src/engine/open-model';
import { parameterContext, resolve } from '../src/engine/resolve';
import { measureCost } from '../src/measure/cost';
import { logitBlocks } from '../src/measure/logits';
import { checkOutput } from './check';
import type { Section } from './section';

const METHODS = ['full', 'esa'] as const;
const CHECKED_TOKENS = 128;
const MEASURED_TOKENS = 1024;
/** Logits relative to the largest one, after eight layers of sums in another order. */
const TOLERANCE = 1e-3;

/**
 * The bundled model reading a text, with full attention and with ESA: checked against the CPU, then measured, from the first
 * command to the logits of all tokens.
 */
export const prefill: Section = {
  name: 'prefill',
  title: 'The bundled model reads',
  needsGpu: false,
  async run({ ops, row }) {
    const tokens = ops.isSoftware ? CHECKED_TOKENS : MEASURED_TOKENS;
    const model = await openBundled(ops);
    const ids = idsOf(model).subarray(0, tokens);
    for (const id of METHODS) {
      await checkModel(model, id, ids.subarray(0, CHECKED_TOKENS));
      // The first reading compiles.
      if (ops.backend !== 'cpu') await read(model, id, ids);
      let milliseconds = Number.POSITIVE_INFINITY;
      for (let run = 0; run < (ops.isSoftware ? 1 : 3); run++) {
        const start = performance.now();
        await read(model, id, ids);
        milliseconds = Math.min(milliseconds, performance.now() - start);
      }
      const size = `${tokens} tokens, ${ops.backend}`;
      row({ name: `prefill, ${id}`, size, milliseconds, flops: flopsOf(model, id, tokens), bytes: 0 });
    }
  },
};

function openBundled(ops: Ops): Promise<OpenModel> {
  return openModel(ops, nodeEnvironment().modelFolder('bundled'));
}

function methodOf(model: OpenModel, id: string, tokens: number) {
  const context = parameterContext(model, tokens);
  return { context, ...resolve({ id, parameters: {} }, context) };
}

/** The sample texts, one after the other. */
function idsOf({ tokenizer }: OpenModel): Uint32Array {
  if (!tokenizer) throw new Error('the bundled model has no tokenizer');
  const text = sampleTexts()
    .map((sample) => sample.text.slice(0, 16_384))
    .join('\n');
  return Uint32Array.from(tokenizer.encodeText(text));
}

/** Logits of all tokens. */
async function read(model: OpenModel, id: string, ids: Uint32Array): Promise<Float32Array> {
  const { method, parameters } = methodOf(model, id, ids.length);
  const { session, queryStates } = await generate({
    decoder: model.decoder,
    method,
    parameters,
    calibration: model.calibration,
    layerTraces: null,
    ids,
    answerStart: null,
    queriesStart: 0,
    keepQueries: false,
    isAnswerComplete: () => false,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  session.release();
  const logits = new Float32Array(ids.length * model.config.vocabularySize);
  for await (const block of logitBlocks(model.decoder, queryStates))
    logits.set(block.logits, block.start * model.config.vocabularySize);
  return logits;
}

/** Multiplications and additions of the method's own formula, those of the weights included. */
function flopsOf(model: OpenModel, id: string, tokens: number): number {
  const { method, parameters, context } = methodOf(model, id, tokens);
  const { weightOperations } = model;
  const queries = { start: 0, end: tokens };
  const cost = measureCost({ method, parameters, context, queries, answerStart: null, weightOperations });
  return tokens * cost.forwardOperations;
}

/** @throws if the logits are not the CPU's */
async function checkModel(model: OpenModel, id: string, ids: Uint32Array): Promise<void> {
  const cpu = createCpuOps({ simd: false });
  const expected = await read(await openBundled(cpu), id, ids);
  cpu.destroy();
  const actual = await read(model, id, ids);
  checkOutput(`the model with ${id}`, actual, expected, TOLERANCE);
}
