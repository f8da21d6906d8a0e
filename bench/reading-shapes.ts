/** Reading a text with models of several shapes, to the logits of its last token, and what each operation takes of it. */
import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import { matrixRows, sliceRows } from '../gpu/rows';
import { scoresOf } from '../src/model/architectures/config';
import { attendSelection } from '../src/model/decoder/attend';
import { createDecoder, type Decoder, startSession } from '../src/model/decoder/decoder';
import { checkOutput } from './check';
import { profiled } from './profile';
import { llamaConfig, randomWeights } from './random-model';
import type { Bench, Section } from './section';

const SHAPES = [
  {
    name: 'SmolLM2-135M',
    lengths: [1024, 2048, 8192],
    shape: {
      ...{ layers: 30, hiddenSize: 576, queryHeads: 9, keyValueHeads: 3, headDimension: 64 },
      ...{ feedForwardSize: 1536, vocabularySize: 49_152, trainedTokens: 8192 },
    },
  },
  {
    name: 'bundled',
    lengths: [1024],
    shape: {
      ...{ layers: 8, hiddenSize: 192, queryHeads: 6, keyValueHeads: 2, headDimension: 32 },
      ...{ feedForwardSize: 512, vocabularySize: 2048, trainedTokens: 1024 },
    },
  },
  {
    name: 'Qwen2.5-0.5B',
    lengths: [2048],
    shape: {
      ...{ layers: 24, hiddenSize: 896, queryHeads: 14, keyValueHeads: 2, headDimension: 64 },
      ...{ feedForwardSize: 4864, vocabularySize: 151_936, trainedTokens: 32_768 },
    },
  },
] as const;

const CHECKED_TOKENS = 48;
/** Logits relative to the largest one. */
const TOLERANCE = 1e-3;
const RUNS = 5;

/** Random weights of 32 bits: time does not depend on their values. The first two layers are checked against the CPU. */
export const readingShapes: Section = {
  name: 'reading',
  title: 'Models of several shapes read, to the logits of the last token',
  needsGpu: true,
  async run(bench) {
    if (bench.ops.isSoftware) return;
    for (const { name, lengths, shape } of SHAPES) {
      const config = llamaConfig(shape);
      await check(bench.ops, { ...config, layers: 2 });
      const decoder = await createDecoder(bench.ops, config, randomWeights(config));
      for (const tokens of lengths) await measure(bench, decoder, name, tokens);
      decoder.release();
    }
  },
};

async function measure({ ops, row, print }: Bench, decoder: Decoder, name: string, tokens: number) {
  let milliseconds = Number.POSITIVE_INFINITY;
  let first = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    await read(ops, decoder, idsOf(tokens, decoder));
    const took = performance.now() - start;
    if (run === 0) first = took;
    milliseconds = Math.min(milliseconds, took);
  }
  row({
    name: `read, ${name}`,
    size: `${tokens} tokens, first time ${Math.round(first)}`,
    milliseconds,
    flops: 0,
    bytes: 0,
  });
  const { ops: timed, total } = profiled(ops);
  await read(timed, { ...decoder, ops: timed }, idsOf(tokens, decoder));
  const parts = [...(await total())].sort((a, b) => b[1] - a[1]);
  print(parts.map(([operation, ms]) => `${operation} ${ms.toFixed(2)}`).join(', '));
}

const idsOf = (tokens: number, { config }: Pick<Decoder, 'config'>): Uint32Array =>
  Uint32Array.from({ length: tokens }, (_, i) => (i * 7919) % config.vocabularySize);

/** Logits of the last token; keys and values of the others are kept meanwhile, as of a text that goes on. */
async function read(ops: Ops, decoder: Decoder, ids: Uint32Array): Promise<Float32Array> {
  const { config } = decoder;
  const { queryHeads: H, vocabularySize: V, hiddenSize: D } = config;
  const parts = Math.ceil((ids.length * D) / ops.memoryLimits.numbersAtOnce);
  const mostAtOnce = Math.ceil(ids.length / parts);
  const session = startSession(decoder, { capacity: ids.length, mostAtOnce, keepQueries: false });
  const lambda = ops.scratch('f32', H * mostAtOnce, 'log-sum-exp');
  const logits = ops.scratch('f32', V, 'logits');
  try {
    for (let start = 0; start < ids.length; start += mostAtOnce) {
      const block = ids.subarray(start, start + mostAtOnce);
      const states = await session.read(block, {
        attend: (asked) =>
          attendSelection(
            ops,
            { ...asked, block: { start, end: asked.end } },
            { list: null, rangeStart: 0 },
            scoresOf(config),
            asked.out,
            { buffer: lambda, offset: 0, headStride: mostAtOnce },
          ),
      });
      if (start + block.length < ids.length) continue;
      session.logits(sliceRows(states, block.length - 1, 1), matrixRows(logits, 1, V));
    }
    return await ops.readFloats(logits);
  } finally {
    session.release();
    ops.release(lambda, logits);
  }
}

/** @throws if the logits are not the CPU's */
async function check(ops: Ops, config: Decoder['config']): Promise<void> {
  const cpu = createCpuOps();
  const found: Float32Array[] = [];
  for (const each of [ops, cpu]) {
    const decoder = await createDecoder(each, config, randomWeights(config));
    found.push(await read(each, decoder, idsOf(CHECKED_TOKENS, decoder)));
    decoder.release();
  }
  cpu.destroy();
  checkOutput('logits', found[0]!, found[1]!, TOLERANCE);
}
