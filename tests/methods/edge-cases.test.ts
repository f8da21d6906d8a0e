import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { UserError } from '../../src/base/user-error';
import { measureLayers } from '../../src/measure/measure-layers';
import { selectAll } from '../../src/measure/select-all';
import { readKept, readScores } from '../../src/measure/selection-reader';
import { contextOf, layerInput, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { methodById, methods } from '../../src/methods';
import type { MethodRun } from '../../src/methods/method';
import { numberIn, type Parameters, resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { type LayerTensors, randomLayers, recordText, runsOnCapture, type TextShape } from './recorded';

const heads = { queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const context = { ...heads, tokens: 70, layers: 2, trainedTokens: null };
/** Every method that needs no more than queries, keys and values: at its defaults, and where its parameters end. */
const variants: [id: string, given: Record<string, unknown>][] = [
  ...methods
    .filter((method) => runsOnCapture(method, context))
    .map(({ id }): [string, Record<string, unknown>] => [id, {}]),
  ['full', { rope: 'ntk', ropeFactor: 3 }],
  ['grouped-positions', { groupSize: 3, neighborTokens: 1, chunkTokens: 5 }],
  ['esa', { projection: 'exact' }],
  ['esa', { projection: 'closed-form' }],
  ['esa', { projection: 'exact', selectedTokens: 0, initTokens: 0, localTokens: 0, globalPosition: 0 }],
  [
    'esa',
    {
      projection: 'exact',
      selectedTokens: 3,
      initTokens: 2,
      localTokens: 4,
      chunkTokens: 5,
      scoreQuery: 'unrotated',
    },
  ],
  ['lagkv', { sinkTokens: 2, lagTokens: 4 }],
  ['lagkv', { sinkTokens: 0, lagTokens: 3, keepFraction: 0, positions: 'cache' }],
  ['lagkv', { sinkTokens: 2, lagTokens: 4, prefill: 'monolithic' }],
  ['lagkv', { variant: 'kvpress', lagTokens: 4 }],
  ['lagkv', { variant: 'kvpress', lagTokens: 64, positions: 'cache' }],
  ['streaming-llm', { sinkTokens: 0, positions: 'cache' }],
  ['streaming-llm', { keepFraction: 0 }],
  ['streaming-llm', { keepFraction: 0.3, sinkTokens: 100 }],
  ['lagkv', { sinkTokens: 100, lagTokens: 1, valueWeight: 0 }],
  ['lagkv', { sinkTokens: 0, lagTokens: 1, keepFraction: 1 }],
  ['lagkv', { variant: 'kvpress', keepFraction: 0, sinkTokens: 0, lagTokens: 1, valueWeight: 10 }],
  ['esa', { projection: 'closed-form', compressedDim: 16, proximity: 64, selectedTokens: 1, chunkTokens: 1 }],
  ['tova', { keepFraction: 0 }],
  ['think', { channelFraction: 0.01, windowTokens: 64 }],
  ['think', { channelFraction: 1 }],
  ['think', { channelFraction: 0.8, windowTokens: 1 }],
  ['finch', { windowTokens: 64, keepFraction: 0 }],
  ['finch', { windowTokens: 3, chunkTokens: 7, normalize: false, positions: 'original' }],
  ['finch', { windowTokens: 9, chunkTokens: 1, keepFraction: 0.6 }],
  ['simlayerkv', { lazyThreshold: 0, sinkTokens: 0, recentTokens: 2 }],
  ['simlayerkv', { lazyThreshold: 0.5, sinkTokens: 3, recentTokens: 20, lastTokens: 7 }],
  ['simlayerkv', { lazyThreshold: 1, recentTokens: 5 }],
  ['duo-attention', { streamingFraction: 0 }],
  ['duo-attention', { streamingFraction: 1, sinkTokens: 0, recentTokens: 1 }],
  ['duo-attention', { streamingFraction: 1, sinkTokens: 100 }],
  ['knorm', { keepFraction: 0 }],
  ['keydiff', { keepFraction: 1 }],
  ['observed-attention', { keepFraction: 0 }],
  ['expected-attention', { keepFraction: 0 }],
  ['expected-attention', { useCovariance: false, useValueNorm: false, sinkTokens: 0, futurePositions: 1 }],
  ['expected-attention', { sinkTokens: 17, epsilon: 0.5, keepFraction: 0.2 }],
  ['capkv', { keepFraction: 0 }],
  ['capkv', { temperature: 0, sinkTokens: 0, futurePositions: 3 }],
  ['capkv', { temperature: 100, sinkTokens: 17, keepFraction: 0.2 }],
  ['noncausal', { keepFraction: 0, chunkTokens: 1, poolKernel: 1 }],
  ['noncausal', { chunkTokens: 7, poolKernel: 9 }],
  ['noncausal', { chunkTokens: 100 }],
  ['leverage', { keepFraction: 0, sketchDim: 1 }],
  ['leverage', { sketchDim: 30, ridge: 1e-6, seed: 0 }],
  ['compactor', { keepFraction: 0.1, sinkTokens: 0, recentTokens: 0, chunkTokens: 1 }],
  ['compactor', { sinkTokens: 40, recentTokens: 50, chunkTokens: 100, blending: 0 }],
  ['criticalkv', { outputProjection: 'identity', windowTokens: 3, poolKernel: 3 }],
  ['criticalkv', { outputProjection: 'identity', keepFraction: 0, windowTokens: 64 }],
  ['criticalkv', { outputProjection: 'identity', base: 'lagkv', lagTokens: 4, firstStage: 0, epsilon: 0 }],
  ['critical-adakv', { outputProjection: 'identity', windowTokens: 3, poolKernel: 3 }],
  ['critical-adakv', { outputProjection: 'identity', keepFraction: 0, windowTokens: 64, firstStage: 1 }],
  ['cur', { keepFraction: 0, windowTokens: 1 }],
  ['cur', { leverage: 'mean', windowTokens: 9, sinkTokens: 0 }],
  ['cur', { leverage: 'value', windowTokens: 100, sinkTokens: 20, keepFraction: 0.2 }],
  ['block', { keepFraction: 0, blockTokens: 1 }],
  ['block', { base: 'knorm', keepFraction: 0.4, blockTokens: 7 }],
  ['block', { blockTokens: 4096 }],
  ['chunk', { keepFraction: 0, chunkTokens: 5 }],
  ['chunk', { base: 'knorm', keepFraction: 0.7, chunkTokens: 1 }],
  ['chunk', { keepFraction: 0.4, chunkTokens: 4096 }],
  ['pyramidkv', { windowTokens: 3, poolKernel: 3, keepFraction: 0.6, beta: 5 }],
  ['pyramidkv', { windowTokens: 64, keepFraction: 0 }],
  ['snapkv', { windowTokens: 3, poolKernel: 3 }],
  ['snapkv', { windowTokens: 64, poolKernel: 1, keepFraction: 0 }],
  ['snapkv', { variant: 'official', windowTokens: 3, capTokens: 6, pooling: 'max' }],
  ['snapkv', { variant: 'official', windowTokens: 5, capTokens: 30, poolKernel: 1 }],
  ['chunkkv', { windowTokens: 3, poolKernel: 3, chunkTokens: 3 }],
  ['chunkkv', { base: 'lagkv', lagTokens: 4, chunkTokens: 100 }],
  ['chunkkv-entropy', { windowTokens: 3, poolKernel: 3, chunkTokens: 3, spikyTokens: 1, keepFraction: 0 }],
  ['chunkkv-entropy', { base: 'lagkv', lagTokens: 4, chunkTokens: 1, keepFraction: 0.6 }],
  ['merging', { windowTokens: 3, poolKernel: 3, keepFraction: 0 }],
  ['merging', { base: 'lagkv', lagTokens: 4, keepFraction: 0.6, mergeFraction: 0.5, similarity: 0.3 }],
  ['merging', { keepFraction: 1 }],
  ['adakv', { windowTokens: 3, poolKernel: 3 }],
  ['adakv', { windowTokens: 1, poolKernel: 9, floorFraction: 1, keepFraction: 0.1 }],
  ['adakv', { base: 'lagkv', lagTokens: 4, floorFraction: 0 }],
  ['quest', { pageTokens: 4, budgetTokens: 1, denseLayers: 0 }],
  ['quest', { pageTokens: 3, budgetTokens: 20, denseLayers: 0, share: 'group' }],
  ['quest', { pageTokens: 1, budgetTokens: 5, denseLayers: 1 }],
  ['tokenselect', { initTokens: 2, localTokens: 8, selectedTokens: 5, chunkTokens: 7, poolKernel: 3 }],
  [
    'tokenselect',
    { initTokens: 0, localTokens: 9, selectedTokens: 0, chunkTokens: 8, positions: 'original' },
  ],
  ['tokenselect', { localTokens: 2, chunkTokens: 1, selectedTokens: 3, scoreQuery: 'unrotated' }],
  ['infllm', { initTokens: 2, localTokens: 9, blockTokens: 4, selectedBlocks: 2, chunkTokens: 7 }],
  [
    'infllm',
    {
      initTokens: 1,
      localTokens: 9,
      blockTokens: 3,
      selectedBlocks: 2,
      chunkTokens: 8,
      duplicates: 'official',
    },
  ],
  [
    'infllm',
    {
      initTokens: 0,
      localTokens: 1,
      blockTokens: 1,
      selectedBlocks: 0,
      representativeTokens: 9,
      chunkTokens: 5,
    },
  ],
  ['lrsa', { keepFraction: 0, sinkTokens: 0, lagTokens: 1 }],
  ['lrsa', { keepFraction: 1, sinkTokens: 3, lagTokens: 5, positions: 'cache' }],
  ['squeezed-attention', { clusters: 3, observationTokens: 2, quantile: 0.4, chunkTokens: 7 }],
  ['squeezed-attention', { clusters: 100, observationTokens: 1, quantile: 1, chunkTokens: 1 }],
  [
    'squeezed-attention',
    {
      clusters: 9,
      coarseClusters: 4,
      coarseQuantile: 0.3,
      observationTokens: 5,
      quantile: 0,
      chunkTokens: 4,
    },
  ],
  ['squeezed-attention', { clusters: 6, coarseClusters: 2, coarseQuantile: 1, quantile: 0.2 }],
  ['streaming', { base: 'knorm', everyTokens: 1, cacheTokens: 1 }],
  ['streaming', { base: 'tova', everyTokens: 7, cacheTokens: 30 }],
  ['streaming', { base: 'lagkv', everyTokens: 5, cacheTokens: 9, sinkTokens: 2, lagTokens: 3 }],
  ['streaming', { everyTokens: 9, cacheTokens: 3, windowTokens: 4 }],
  ['loki', { components: 8, selectedTokens: 3 }],
  ['loki', { components: 1, selectedTokens: 1, centred: false, keys: 'unrotated' }],
  ['sparq', { rankChannels: 8, selectedTokens: 3, localTokens: 0 }],
  ['sparq', { rankChannels: 1, selectedTokens: 0, localTokens: 5 }],
  ['sparq', { rankChannels: 3, selectedTokens: 9, localTokens: 9, meanValue: false }],
  ['h2o', { heavyTokens: 3, recentTokens: 2, prefillTokens: 9 }],
  ['h2o', { heavyTokens: 0, recentTokens: 4, prefillTokens: 1 }],
  ['h2o', { heavyTokens: 4, recentTokens: 0, prefillTokens: 12, positions: 'cache' }],
  ['h2o', { heavyTokens: 0, recentTokens: 0, prefillTokens: 5 }],
  ['h2o', { heavyTokens: 2, recentTokens: 6, prefillTokens: 1, positions: 'cache' }],
  ['cascading-kv', { sinkTokens: 0, cascades: 1, cascadeTokens: 1, chunkTokens: 1 }],
  ['cascading-kv', { sinkTokens: 2, cascades: 16, cascadeTokens: 1, chunkTokens: 3, eagerFill: false }],
  ['cascading-kv', { sinkTokens: 90, cascadeTokens: 3, headReduction: 'homogeneous', chunkTokens: 5 }],
  ['cascading-kv', { cascadeTokens: 90, positions: 'cache', chunkTokens: 7 }],
  [
    'cascading-kv',
    { sinkTokens: 0, cascades: 3, cascadeTokens: 4, beta: 0.5, positions: 'cache', score: 'captured' },
  ],
  ['cascading-kv', { sinkTokens: 1, cascadeTokens: 2, schedule: 'iplus1', beta: 0.9, chunkTokens: 90 }],
  ['minference', { verticalTokens: 0, slashDiagonals: 1, forcedColumns: 0, lastQueries: 1 }],
  ['minference', { verticalTokens: 90, slashDiagonals: 3, forcedDiagonals: 70, lastQueries: 70 }],
  ['minference', { pattern: 'a-shape', initTokens: 0, localTokens: 1 }],
  ['minference', { pattern: 'block-sparse', blockTokens: 1, topBlocks: 1 }],
  ['minference', { pattern: 'block-sparse', blockTokens: 9, topBlocks: 100 }],
  ['minference', { pattern: 'search', verticalTokens: 4, slashDiagonals: 6, blockTokens: 4, firstQuery: 3 }],
  ['oracle', { keepFraction: 0 }],
  ['oracle', { keepFraction: 1 }],
  ['random', { keepFraction: 0, seed: 2 ** 32 - 1 }],
  ['random', { keepFraction: 1, seed: 0 }],
  ['oracle', { keepFraction: 0.1 }],
  ['random', { positions: 'cache' }],
  ['freqkv', { cacheTokens: 12, sinkTokens: 2, recentTokens: 3, retainedFraction: 0.4 }],
  ['freqkv', { cacheTokens: 9, sinkTokens: 0, retainedFraction: 1 }],
  ['freqkv', { cacheTokens: 8, recentTokens: 2, retainedFraction: 0 }],
];

const parametersFor = (text: Trace, id: string, given: Record<string, unknown>): Parameters =>
  resolveParameters(methodById(id), given, contextOf(text));

/** Runs a method over a text and checks what must hold whatever the numbers are. */
async function expectSound(text: Trace, id: string, given: Record<string, unknown>, start: number) {
  const method = methodById(id);
  const parameters = parametersFor(text, id, given);
  const { tokens } = text;
  const { blocks } = await selectAll({
    text,
    method,
    parameters,
    traceIndex: 0,
    evictAt: start,
    withScores: true,
  });
  expect(blocks[0]?.block.start ?? 0).toBe(0);
  expect(blocks.at(-1)?.block.end ?? 0).toBe(tokens);
  // One assertion a run: an assertion takes longer than what it looks at, and methods that choose for every query have many sets.
  const wrong: unknown[] = [];
  blocks.forEach(({ block, kept }, b) => {
    const { start, end } = block;
    if (b > 0 && start !== blocks[b - 1]!.block.end) wrong.push(['a block does not follow', block]);
    if (!(end > start)) wrong.push(['an empty block', block]);
    // Queries that choose alone may leave out their own token.
    if (!(kept.rangeStart <= (end - start === 1 ? end : start)))
      wrong.push(['a range begins late', block, kept.rangeStart]);
    for (const set of kept.sets) {
      set.forEach((token, i) => {
        if (!(token < kept.rangeStart)) wrong.push(['listed and in the range', block, token]);
        if (i > 0 && !(token > set[i - 1]!)) wrong.push(['not ascending', block, token]);
      });
    }
  });
  const queries = { start, end: tokens };
  for (const layer of await measureLayers({ text, method, parameters, queries })) {
    const { keptKeys, visibleKeys } = layer;
    if (!(keptKeys <= visibleKeys && keptKeys >= 1)) wrong.push(['kept keys', keptKeys, visibleKeys]);
    for (const head of layer.heads) {
      for (const name of ['massRecall', 'ownMassRecall', 'topkRecall'] as const) {
        const share = head[name];
        if (share !== null && !(share >= 0 && share <= 1)) wrong.push([name, share]);
      }
      for (const name of ['outputError', 'outputErrorAsRun'] as const)
        if (!Number.isFinite(head[name])) wrong.push([name, head[name]]);
    }
  }
  expect(wrong).toEqual([]);
}

const shapeOf = (tokens: number): TextShape => ({ tokens, ...heads });
const constant = (tokens: number, value: number): LayerTensors => ({
  query: new Float32Array(heads.queryHeads * tokens * heads.headDimension).fill(value),
  key: new Float32Array(heads.keyValueHeads * tokens * heads.headDimension).fill(value),
  value: new Float32Array(heads.keyValueHeads * tokens * heads.headDimension).fill(value),
});

/** Heads that are constant, dead or large, as a capture may have them, with the closed form of its own second moments. */
describe('ESA’s closed form of a text whose', () => {
  const shape: TextShape = { tokens: 65, queryHeads: 8, keyValueHeads: 4, headDimension: 32 };
  const { query, key, value } = randomLayers(shape, 1, 5)[0]!;
  const random: LayerTensors = { query, key, value };
  const filled = (data: Float32Array, value: number): Float32Array =>
    new Float32Array(data.length).fill(value);
  const given = {
    projection: 'closed-form',
    compressedDim: 16,
    initTokens: 1,
    localTokens: 1,
    selectedTokens: 1,
    chunkTokens: 3,
  };
  it.each([
    ['queries are all 1', { query: filled(random.query, 1) }],
    ['queries are all 0', { query: filled(random.query, 0) }],
    ['keys are all 1', { key: filled(random.key, 1) }],
    ['keys are denormal', { key: filled(random.key, 1e-45) }],
    ['keys are 1e-20', { key: filled(random.key, 1e-20) }],
    ['keys are about 1e18', { key: random.key.map((value) => 1e18 * value) }],
    ['queries and keys are all alike', { query: filled(random.query, 1), key: filled(random.key, 1) }],
  ])(
    '%s is there in a moment',
    async (_what, change) => {
      const text = recordText(createCpuOps(), shape, [{ ...random, ...change }], { rope: null });
      await expectSound(text, 'esa', given, 40);
    },
    5000,
  );

  it('keys are about 3e38 gives a selection or a sentence', async () => {
    const layer = { ...random, key: random.key.map((value) => 3e38 * Math.sign(value)) };
    const text = recordText(createCpuOps(), shape, [layer], { rope: null });
    const parameters = parametersFor(text, 'esa', given);
    const request = {
      text,
      method: methodById('esa'),
      parameters,
      traceIndex: 0,
      evictAt: 40,
      withScores: true,
    };
    const blocks = await selectAll(request).then(
      (selection) => selection.blocks.length,
      (error: unknown) => error,
    );
    if (blocks !== 22) expect(blocks).toBeInstanceOf(UserError);
  });
});

it.each(['official', 'kvpress'])(
  'LagKV %s says which channels had no range, without a memo too',
  async (variant) => {
    const shape = shapeOf(40);
    const layer = randomLayers(shape, 1, 3)[0];
    const key = layer!.key.map((value, i) => (i % heads.headDimension === 3 ? 7 : value));
    const text = recordText(createCpuOps(), shape, [{ ...layer!, key }], { rope: null });
    const parameters = parametersFor(text, 'lagkv', { variant, sinkTokens: 0, lagTokens: 8 });
    const run = methodById('lagkv').start(methodContext(text, 32), parameters);
    run.select(layerInput(text.layerTraces[0]!, { start: 32, end: 40 }));
    // Three of the four partitions have a successor; one key channel of both heads is constant in each.
    expect(await run.lateNotices!()).toEqual([
      '6 channels had no range in a lag partition; their keys or values were divided by 1e-12 there.',
    ]);
    run.dispose();
  },
);

it('has one set per KV head, or one for the layer, whatever is dropped', async () => {
  const text = recordText(createCpuOps(), shapeOf(70), randomLayers(shapeOf(70), 1, 6));
  for (const [id, given] of variants) {
    const method = methodById(id);
    const request = { text, method, traceIndex: 0, evictAt: 50, withScores: false };
    for (const more of [{}, ...('keepFraction' in method.parameters ? [{ keepFraction: 1 }] : [])]) {
      const parameters = parametersFor(text, id, { ...given, ...more });
      const { blocks, after } = await selectAll({ ...request, parameters });
      const sets = { layer: 1, kvHead: 2, queryHead: 4 }[method.traits(parameters).sets];
      for (const { kept } of [...blocks, after]) expect(kept.sets).toHaveLength(sets);
    }
  }
});

it('LagKV’s scores on heads of one channel are refused in a sentence', () => {
  const shape: TextShape = { tokens: 30, queryHeads: 2, keyValueHeads: 2, headDimension: 1 };
  const text = recordText(createCpuOps(), shape, randomLayers(shape, 1, 5), { rope: null });
  for (const [id, given] of [
    ['lagkv', { variant: 'official' }],
    ['lagkv', { variant: 'kvpress' }],
    ['adakv', { base: 'lagkv' }],
    ['chunkkv', { base: 'lagkv' }],
    ['chunkkv-entropy', { base: 'lagkv' }],
    ['merging', { base: 'lagkv' }],
  ] as const) {
    expect(() => parametersFor(text, id, { ...given, lagTokens: 4 })).toThrow(
      `${id} scores by the spread over a head’s channels, and there is only one here; choose another method.`,
    );
  }
});

/** Texts that all methods read, on one device, as on the page. */
const ops = createCpuOps();
const texts = new Map<string, Trace>();
const textOf = (tokens: number, seed = tokens): Trace =>
  remembered(`${tokens}/${seed}`, () =>
    recordText(ops, shapeOf(tokens), randomLayers(shapeOf(tokens), 2, seed)),
  );
const textOfAlike = (value: number, rope: 'rope' | 'no rope'): Trace =>
  remembered(`alike/${value}/${rope}`, () =>
    recordText(ops, shapeOf(40), [constant(40, value)], rope === 'rope' ? {} : { rope: null }),
  );
function remembered(name: string, make: () => Trace): Trace {
  const text = texts.get(name) ?? make();
  texts.set(name, text);
  return text;
}

describe.each(variants)('%s %o', (id, given) => {
  // Where reading begins and ends is seen in short texts; the longest has room for windows of 64 before the eviction.
  it.each([
    [1, [0]],
    [2, [0, 1]],
    [3, [0, 1, 2]],
    [17, [0, 8, 16]],
    [70, [69]],
  ])('reads %i random tokens', async (tokens, starts) => {
    const text = textOf(tokens);
    for (const start of starts) await expectSound(text, id, given, start);
  });

  it('says beforehand whether its run follows what was attended to', () => {
    const text = textOf(70);
    const parameters = parametersFor(text, id, given);
    const method = methodById(id);
    const run = method.start(methodContext(text, 30), parameters);
    expect(run.attended !== undefined).toBe(method.traits(parameters).wants.attended === true);
    run.dispose();
  });

  it('reads tokens that are all alike, where everything ties', async () => {
    // Where all keys stand at positions of the method's own there must be positions.
    const { decides, positions } = methodById(id).traits(parametersFor(textOf(1), id, given));
    const rope = decides === 'never' && positions !== 'model' ? 'rope' : 'no rope';
    for (const value of [0, 1]) await expectSound(textOfAlike(value, rope), id, given, 30);
  });

  it('takes one number per layer, of every parameter', async () => {
    const text = textOf(70, 9);
    const { parameters: schemas } = methodById(id);
    const resolved = parametersFor(text, id, given);
    const perLayer: Record<string, readonly number[]> = {};
    for (const [name, schema] of Object.entries(schemas)) {
      if (schema.kind === 'choice' || schema.kind === 'table' || name === 'chunkTokens') continue;
      if (schema.kind === 'count' && schema.isSameInAllLayers) continue;
      const value = numberIn(resolved, name, 0);
      const other =
        schema.kind === 'fraction'
          ? Math.min(schema.maximum, value + 0.1)
          : Math.max(schema.minimum, value - (schema.isOdd ? 2 : 1));
      perLayer[name] = [value, other];
    }
    await expectSound(text, id, { ...given, ...perLayer }, 50);
  });
});

describe('ties', () => {
  it('go to the earlier token', async () => {
    const text = recordText(createCpuOps(), shapeOf(40), [constant(40, 1)], { rope: null });
    const keptOf = async (id: string, given: Record<string, unknown>) => {
      const { blocks } = await selectAll({
        text,
        method: methodById(id),
        parameters: parametersFor(text, id, given),
        traceIndex: 0,
        evictAt: 32,
        withScores: false,
      });
      return blocks.at(-1)!.kept;
    };
    const esa = await keptOf('esa', {
      projection: 'exact',
      initTokens: 2,
      localTokens: 4,
      chunkTokens: 8,
      selectedTokens: 3,
    });
    expect([...esa.sets[0]!]).toEqual([0, 1, 2, 3, 4]);
    expect(esa.tiedAtCut).toEqual([26]);
    const oracle = await keptOf('oracle', { keepFraction: 0.1 });
    expect(oracle.sets.map((set) => [...set])).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ]);
    const tova = await keptOf('tova', { keepFraction: 0.1 });
    expect([...tova.sets[0]!]).toEqual([0, 1, 31]);
    const official = await keptOf('lagkv', { sinkTokens: 1, lagTokens: 4, keepFraction: 0.5 });
    expect([...official.sets[0]!.slice(0, 7)]).toEqual([0, 1, 2, 5, 6, 9, 10]);
  });
});

it('the oracle scores a key by the attention of all queries of a block, as they give it one by one', async () => {
  const text = textOf(70);
  const method = methodById('oracle');
  const parameters = parametersFor(text, 'oracle', {});
  const { run, inputOf, dispose } = await startTraceRun(text, method, parameters, 70);
  const scoresOf = async (start: number, end: number) => {
    const selection = run.select(inputOf(text.layerTraces[0]!, { start, end }));
    const scores = await readScores(ops, selection, 70);
    ops.release(...selection.owned);
    return scores!;
  };
  const together = await scoresOf(30, 36);
  const alone = await Promise.all(Array.from({ length: 6 }, (_, i) => scoresOf(30 + i, 31 + i)));
  for (const [row, scores] of together.entries())
    for (let key = 0; key < 30; key++)
      expect(scores[key]).toBeCloseTo(
        alone.reduce((sum, one) => sum + one[row]![key]!, 0),
        5,
      );
  dispose();
});

describe('random', () => {
  it('keeps with more what it kept with less, and other keys with another seed or head', async () => {
    const text = recordText(createCpuOps(), shapeOf(70), randomLayers(shapeOf(70), 2, 1));
    const keptOf = async (given: Record<string, unknown>, layer = 0) => {
      const { after } = await selectAll({
        text,
        method: methodById('random'),
        parameters: parametersFor(text, 'random', given),
        traceIndex: layer,
        evictAt: 70,
        withScores: false,
      });
      return after.kept.sets.map((set) => [...set]);
    };
    const few = await keptOf({ keepFraction: 0.2 });
    const more = await keptOf({ keepFraction: 0.4 });
    expect(few[0]!.length).toBe(14);
    for (const [set, tokens] of few.entries()) expect(more[set]).toEqual(expect.arrayContaining(tokens));
    expect(few[0]).not.toEqual(few[1]);
    expect(few).not.toEqual(await keptOf({ keepFraction: 0.2 }, 1));
    expect(few).not.toEqual(await keptOf({ keepFraction: 0.2, seed: 2 }));
    expect(few).toEqual(await keptOf({ keepFraction: 0.2 }));
  });
});

it('nothing is refused for a parameter that has no effect', () => {
  const text = recordText(createCpuOps(), shapeOf(30), randomLayers(shapeOf(30), 1, 5));
  for (const [id, unused, used] of [
    ['adakv', { base: 'lagkv', poolKernel: 2 }, { base: 'snapkv', poolKernel: 2 }],
    ['chunkkv', { base: 'lagkv', poolKernel: 2 }, { base: 'snapkv', poolKernel: 2 }],
    ['lorc', { rule: 'given', maxRank: 1 }, { rule: 'cumulative-condition', maxRank: 1 }],
  ] as const) {
    expect(parametersFor(text, id, unused)).toMatchObject(unused);
    expect(() => parametersFor(text, id, used)).toThrow(UserError);
  }
});

describe('a run that returns to its mark', () => {
  it.each(variants)('%s %o selects as if nothing had come between', async (id, given) => {
    const [text, other] = [textOf(70, 4), textOf(70, 5)];
    const method = methodById(id);
    const parameters = parametersFor(text, id, given);
    const { decides, wants } = method.traits(parameters);
    const inputAt = (of: Trace, start: number) =>
      layerInput(of.layerTraces[0]!, { start, end: start + 1 }, wants);
    /** What the token at `start` sees. Who decides while reading has read what is between, from `from` on. */
    const keptAt = (run: MethodRun, of: Trace, from: number, start: number) => {
      for (let token = from; decides === 'whileReading' && token < start; token++) {
        const selection = run.select(inputAt(of, token));
        run.attended?.(inputAt(of, token), selection, null);
        ops.release(...selection.owned);
      }
      return readKept(ops, run.select(inputAt(of, start)));
    };
    const undisturbed = await startTraceRun(text, method, parameters, 30);
    const wanted = await keptAt(undisturbed.run, text, 0, 60);
    undisturbed.dispose();
    // Before and after the tokens are evicted.
    for (const mark of [20, 32]) {
      // As a free run, whose tokens are others after a rewind: a memo belongs to one text.
      const run = method.start(methodContext(text, 30), parameters);
      await run.prepare?.(text.layerTraces);
      await keptAt(run, text, 0, mark);
      run.mark();
      await keptAt(run, other, mark, 50);
      await keptAt(run, other, 50, 65);
      run.rewind();
      expect(await keptAt(run, text, mark, 60)).toEqual(wanted);
      run.dispose();
    }
  });
});

it('has distinct ids and complete schemas', () => {
  expect(new Set(methods.map(({ id }) => id)).size).toBe(methods.length);
  for (const { parameters } of methods) {
    for (const schema of Object.values(parameters)) {
      expect(schema.label).not.toBe('');
      expect(schema.help).toMatch(/[.?]$/);
      expect(`${schema.label} ${schema.help}`).not.toMatch(
        /(?<!compression_|first_stage_|score_v_|retain )ratio/,
      );
    }
  }
});
