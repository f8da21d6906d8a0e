import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { selectAll } from '../../src/measure/select-all';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import type { Method } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import { forward } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import { someIds, tinyDecoder } from './tiny-model';

const TOKENS = 120;
const ANSWER_START = 101;
const QUERIES_START = 90;

/** The method, and what each of its selections in layer 0 keeps, by block; a block that is read again replaces the first reading. */
function watched(method: Method) {
  const seen = new Map<string, ReturnType<typeof readKept>>();
  const start: Method['start'] = (context, parameters) => {
    const run = method.start(context, parameters);
    const select = run.select.bind(run);
    run.select = (input) => {
      const selection = select(input);
      const { start, end } = input.block;
      const { keyValueHeads: kvHead, queryHeads: queryHead } = context;
      const sets = { layer: 1, kvHead, queryHead }[method.traits(parameters).sets];
      if (input.layer === 0) seen.set(`${start}…${end}`, readKept(context.ops, selection, sets));
      return selection;
    };
    return run;
  };
  return { method: { ...method, start }, seen };
}

describe('selections of an answer’s tokens', async () => {
  const ops = createCpuOps();
  const decoder = await tinyDecoder(ops);
  const ids = someIds(TOKENS);
  const { reader } = await forward(decoder, ids);
  const text = traceOfSession(decoder, reader, {
    tokens: TOKENS,
    answerStart: ANSWER_START,
    calibration: null,
  });

  // Layer 0 sees the same queries and keys whatever was selected.
  it.each([
    ['esa', { projection: 'exact', initTokens: 3, localTokens: 8, chunkTokens: 16, selectedTokens: 9 }],
    ['lagkv', { lagTokens: 9, sinkTokens: 4, keepFraction: 0.4 }],
    ['lagkv', { lagTokens: 9, sinkTokens: 4, keepFraction: 0.4, prefill: 'monolithic' }],
    ['lagkv', { variant: 'kvpress', lagTokens: 9, keepFraction: 0.3 }],
    ['streaming-llm', { keepFraction: 0.2 }],
    ['streaming-llm', { keepFraction: 0.2, positions: 'cache' }],
    ['snapkv', { windowTokens: 5, poolKernel: 3, keepFraction: 0.3 }],
    ['snapkv', { windowTokens: 50, keepFraction: 0.7 }],
    ['snapkv', { variant: 'official', windowTokens: 5, capTokens: 20, pooling: 'max' }],
    ['observed-attention', { keepFraction: 0.3 }],
    ['expected-attention', { keepFraction: 0.3 }],
    ['capkv', { keepFraction: 0.3 }],
    ['noncausal', { keepFraction: 0.3, chunkTokens: 9 }],
    ['compactor', { keepFraction: 0.3, chunkTokens: 9 }],
    ['cur', { keepFraction: 0.3 }],
    ['keydiff', { keepFraction: 0.3 }],
    ['block', { keepFraction: 0.3, blockTokens: 9 }],
    ['chunk', { keepFraction: 0.3, chunkTokens: 9 }],
    ['chunkkv', { windowTokens: 7, chunkTokens: 5, keepFraction: 0.5, reuseLayers: 2 }],
    ['chunkkv-entropy', { windowTokens: 7, chunkTokens: 5, spikyTokens: 2, keepFraction: 0.5 }],
    ['adakv', { windowTokens: 40, keepFraction: 0.5 }],
    ['adakv', { base: 'lagkv', lagTokens: 9, keepFraction: 0.3 }],
    ['cascading-kv', { cascadeTokens: 6, chunkTokens: 16 }],
    ['cascading-kv', { cascadeTokens: 5, cascades: 3, eagerFill: false, beta: 0.9, positions: 'cache' }],
    ['cascading-kv', { cascadeTokens: 5, chunkTokens: 9, score: 'captured', headReduction: 'homogeneous' }],
    ['streaming', { everyTokens: 8, cacheTokens: 12, windowTokens: 5 }],
    ['streaming', { base: 'keydiff', everyTokens: 5, cacheTokens: 30 }],
    ['merging', { windowTokens: 7, keepFraction: 0.4, mergeFraction: 0.6 }],
    ['freqkv', { cacheTokens: 20, sinkTokens: 2, recentTokens: 3 }],
    ['infllm', { initTokens: 2, localTokens: 16, blockTokens: 5, selectedBlocks: 3, chunkTokens: 12 }],
    ['squeezed-attention', { clusters: 12, observationTokens: 9, quantile: 0.5, chunkTokens: 12 }],
    ['oracle', { keepFraction: 0.15 }],
    ['random', { keepFraction: 0.3 }],
  ])('%s %o: a probe run has those of the free run', async (id, given) => {
    await compare(id, given, QUERIES_START);
  });

  // What was generated is read anew from the text, from before the eviction on.
  it.each([
    ['snapkv', { windowTokens: 5, poolKernel: 3, keepFraction: 0.3 }],
    ['snapkv', { windowTokens: 110, keepFraction: 0.7 }],
    ['observed-attention', { keepFraction: 0.3 }],
    ['lagkv', { variant: 'kvpress', lagTokens: 9, keepFraction: 0.3 }],
    ['lagkv', { lagTokens: 9, sinkTokens: 4, keepFraction: 0.4, prefill: 'monolithic' }],
    ['chunkkv', { windowTokens: 7, chunkTokens: 5, keepFraction: 0.5, reuseLayers: 2 }],
    ['merging', { windowTokens: 7, keepFraction: 0.4, mergeFraction: 0.6 }],
    ['squeezed-attention', { clusters: 12, observationTokens: 9, quantile: 0.5, chunkTokens: 12 }],
    ['oracle', { keepFraction: 0.15 }],
  ])('%s %o: so does one that is evicted from within the answer', async (id, given) => {
    await compare(id, given, ANSWER_START + 2);
  });

  async function compare(id: string, given: Record<string, unknown>, queriesStart: number): Promise<void> {
    const method = methodById(id);
    const parameters = resolveParameters(method, given, contextOf(text));
    const { method: spied, seen } = watched(method);
    const reading = await generate({
      decoder,
      method: spied,
      parameters,
      calibration: null,
      layerTraces: text.layerTraces,
      ids,
      answerStart: ANSWER_START,
      queriesStart,
      keepQueries: false,
      isAnswerComplete: (generated) => generated.length >= 4,
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    reading.session.release();
    const { blocks } = await selectAll({
      text,
      method,
      parameters,
      traceIndex: 0,
      evictAt: queriesStart,
      withScores: false,
    });
    const single = blocks.filter(({ block }) => block.start >= ANSWER_START);
    expect(single.map(({ block }) => block.end - block.start)).toEqual(
      new Array(TOKENS - ANSWER_START).fill(1),
    );
    expect(blocks.length).toBeGreaterThan(single.length);
    for (const { block, kept } of blocks) {
      expect(kept, `block ${block.start}`).toEqual(await seen.get(`${block.start}…${block.end}`));
    }
  }
});
