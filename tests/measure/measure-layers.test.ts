import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { selectAll } from '../../src/measure/select-all';
import { visibleTokens } from '../../src/measure/selection-reader';
import { contextOf, countedQueries } from '../../src/measure/trace-run';
import { methodById, methods } from '../../src/methods';
import type { Method, MethodRun } from '../../src/methods/method';
import { type Parameters, resolveParameters } from '../../src/methods/parameters';
import { attendSelection } from '../../src/model/decoder/attend';
import type { Trace } from '../../src/trace/trace';
import { fixtureText, inputs, layerCount, shape } from '../methods/fixture';
import { recordText, runsOnCapture } from '../methods/recorded';

const { tokens, queryHeads, keyValueHeads, headDimension } = shape;
const queries = { start: 150, end: tokens };

/** Where defaults would keep too much, or too little of a kind, of so short a text; other methods are measured at their defaults. */
const given: Record<string, Record<string, unknown>> = {
  esa: { projection: 'exact', initTokens: 4, localTokens: 32, chunkTokens: 40, selectedTokens: 24 },
  lagkv: { keepFraction: 0.25, sinkTokens: 4, lagTokens: 16 },
  oracle: { keepFraction: 0.1 },
};

const text: Trace = fixtureText(createCpuOps());
const parametersOf = (id: string, more: Record<string, unknown> = {}): Parameters =>
  resolveParameters(methodById(id), { ...given[id], ...more }, contextOf(text));
const probeWith = (id: string, more: Record<string, unknown> = {}) =>
  measureLayers({ text, method: methodById(id), parameters: parametersOf(id, more), queries });

/** What the measurements are by their definitions, from the reference's attention matrix. */
async function byDefinition(id: string, layer: number, of = text) {
  const method = methodById(id);
  const { blocks } = await selectAll({
    text: of,
    method,
    parameters: parametersOf(id),
    traceIndex: layer,
    evictAt: queries.start,
    withScores: false,
  });
  const counted = countedQueries(method.traits(parametersOf(id)), queries, of.answerStart);
  const attention = inputs.float32(`attention.${layer}`);
  const value = inputs.float32(`value.${layer}`);
  const headOutput = inputs.float32(`head_output.${layer}`);
  const heads = Array.from({ length: queryHeads }, (_, head) => {
    let mass = 0;
    let topk = 0;
    let topkCount = 0;
    let chance = 0;
    let squaredError = 0;
    let squaredNorm = 0;
    for (const { block, kept } of blocks) {
      for (let i = Math.max(block.start, counted.start); i < Math.min(block.end, counted.end); i++) {
        const rowStart = (head * tokens + i) * tokens;
        const weights = attention.subarray(rowStart, rowStart + tokens);
        const set = Math.floor((head * kept.sets.length) / queryHeads);
        const seen = [...visibleTokens(kept, set, i + 1)];
        const total = seen.reduce((sum, t) => sum + weights[t]!, 0);
        mass += total;
        const isKept = new Set(seen);
        const { start, end } = kept.candidates;
        const candidates = Array.from({ length: end - start }, (_, j) => start + j);
        const count = candidates.filter((t) => isKept.has(t)).length;
        if (count > 0 && count < candidates.length) {
          const best = candidates.sort((a, b) => weights[b]! - weights[a]!).slice(0, count);
          topk += best.filter((t) => isKept.has(t)).length / count;
          chance += count / candidates.length;
          topkCount++;
        }
        const group = Math.floor((head * keyValueHeads) / queryHeads);
        const sparse = new Float64Array(headDimension);
        for (const t of seen) {
          const share = weights[t]! / total;
          const start = (group * tokens + t) * headDimension;
          for (let c = 0; c < headDimension; c++) sparse[c]! += share * value[start + c]!;
        }
        for (let c = 0; c < headDimension; c++) {
          const full = headOutput[(head * tokens + i) * headDimension + c]!;
          squaredError += (sparse[c]! - full) ** 2;
          squaredNorm += full ** 2;
        }
      }
    }
    return {
      massRecall: mass / (counted.end - counted.start),
      topkRecall: topkCount > 0 ? topk / topkCount : null,
      topkChance: topkCount > 0 ? chance / topkCount : null,
      topkCount,
      outputError: Math.sqrt(squaredError / squaredNorm),
    };
  });
  return heads;
}

/** Methods whose caches hold tokens, and that need no model; what is measured of others is in made-cache.test.ts and in their own tests. */
const ofTokens = methods.filter((method) => {
  const context = contextOf(text);
  return (
    method.traits(resolveParameters(method, {}, context)).cache === 'tokens' && runsOnCapture(method, context)
  );
});

/** What a run's own way to attend is asked. */
type Attending = NonNullable<MethodRun['attend']> extends (...given: infer Given) => void ? Given : never;

describe('probe', () => {
  it.each(
    ofTokens.flatMap(({ id }) => [
      [id, null],
      [id, 167],
    ]) as [string, number | null][],
  )('%s: recall and error are what their definitions say, answer from %s', async (id, answerStart) => {
    const answered = { ...text, answerStart };
    const method = methodById(id);
    const layers = await measureLayers({ text: answered, method, parameters: parametersOf(id), queries });
    expect(layers.map(({ layer }) => layer)).toEqual(Array.from({ length: layerCount }, (_, layer) => layer));
    for (const measured of layers) {
      const wanted = await byDefinition(id, measured.layer, answered);
      measured.heads.forEach((head, h) => {
        expect(head.massRecall).toBeCloseTo(wanted[h]!.massRecall, 5);
        expect(head.outputError).toBeCloseTo(wanted[h]!.outputError, 4);
        if (wanted[h]!.topkRecall === null) expect(head.topkRecall).toBeNull();
        else expect(head.topkRecall).toBeCloseTo(wanted[h]!.topkRecall, 2);
        if (wanted[h]!.topkChance === null) expect(head.topkChance).toBeNull();
        else expect(head.topkChance).toBeCloseTo(wanted[h]!.topkChance, 12);
      });
      expect(measured.topkRows).toBe(wanted.reduce((sum, head) => sum + head.topkCount, 0));
      const mean = wanted.reduce((sum, head) => sum + head.massRecall, 0) / queryHeads;
      expect(measured.massRecall).toBeCloseTo(mean, 5);
    }
  });

  it.each([
    ['esa', {}],
    ['esa', { projection: 'closed-form', compressedDim: 8 }],
    ['esa', { selectedTokens: 0, initTokens: 0 }],
    ['esa', { localTokens: 170 }],
    ['oracle', {}],
    ['streaming-llm', { positions: 'cache' }],
    ['infllm', { initTokens: 3, localTokens: 20, blockTokens: 8, selectedBlocks: 4 }],
    ['infllm', { localTokens: 100, duplicates: 'official' }],
    ['squeezed-attention', { clusters: 20 }],
  ])('measures an answer’s tokens together as one by one: %s %o', async (id, more) => {
    // Plain sums: in single precision a projection of many rows rounds unlike that of one, which moves keys that are nearly tied.
    const answered = { ...fixtureText(createCpuOps({ simd: false })), answerStart: 160 };
    const parameters = parametersOf(id, more);
    const start = 155;
    const together = await measureLayers({
      text: answered,
      method: methodById(id),
      parameters,
      queries: { start, end: tokens },
    });
    // A method that can neither choose nor attend for several queries at once is measured one query at a time.
    const apart: Method = {
      ...methodById(id),
      start(context, given) {
        const run = methodById(id).start(context, given);
        return Object.assign(run, {
          attend:
            run.attend ??
            ((...asked: Attending) =>
              attendSelection(context.ops, asked[0], asked[1], context.scores, asked[2], asked[3])),
          attendEach: undefined,
          each: undefined,
        });
      },
    };
    const oneByOne = await measureLayers({
      text: answered,
      method: apart,
      parameters,
      queries: { start, end: tokens },
    });
    for (const [i, layer] of together.entries()) {
      const { heads, ...numbers } = layer;
      const { heads: otherHeads, ...others } = oneByOne[i]!;
      const all = [numbers, ...heads].flatMap((of) => Object.entries(of));
      const wanted = [others, ...otherHeads].flatMap((of) => Object.entries(of));
      for (const [at, [name, value]] of all.entries()) {
        const other = wanted[at]![1];
        // Of a method at the model's positions there is none, and the one that is measured apart attends as if it had its own.
        if (name === 'ownMassRecall' && other === null) continue;
        if (value === null || other === null) expect(value, name).toBe(other);
        else expect(value, name).toBeCloseTo(other as number, 5);
      }
    }
  });

  it('loses nothing where everything is kept', async () => {
    for (const method of methods) {
      if (!runsOnCapture(method, contextOf(text))) continue;
      const { id } = method;
      const places = { evictAt: queries.start, answerStart: null };
      // Pages that the text does not fill leave out a part of it.
      const start = parametersOf(id, 'pageTokens' in method.parameters ? { pageTokens: 1 } : {});
      const all = method.withBudget(start, contextOf(text), 1, places);
      const given = 'parameters' in all ? all.parameters : {};
      const isInCache =
        method.traits(resolveParameters(method, given, contextOf(text))).positions === 'cache';
      for (const measured of await probeWith(id, given)) {
        const recalls = [measured.massRecall, measured.ownMassRecall];
        if (measured.reason !== undefined) expect(recalls).toEqual([null, null]);
        else {
          expect(measured.massRecall).toBeCloseTo(1, 5);
          // In a cache a dropped key has no position to be weighed at.
          if (isInCache) expect(measured.ownMassRecall).toBeNull();
          else expect(measured.ownMassRecall).toBeCloseTo(1, 5);
        }
        expect(measured.outputError).toBeLessThan(1e-5);
        expect(measured.topkRecall).toBeNull();
        expect(measured.tiedAtCut).toBeNull();
        expect(measured.keptKeys).toBe(measured.visibleKeys);
        // These see far keys from a distance of their own.
        if (id !== 'esa' && id !== 'infllm') expect(measured.outputErrorAsRun).toBeLessThan(1e-5);
        else expect(measured.outputErrorAsRun).toBeGreaterThan(1e-3);
      }
    }
  });

  it('counts what is kept and seen', async () => {
    const [layer] = await probeWith('streaming-llm');
    const mean = (queries.start + queries.end + 1) / 2;
    expect(layer!.visibleKeys).toBeCloseTo(mean, 9);
    expect(layer!.keptKeys).toBeCloseTo(Math.floor(0.25 * queries.start) + mean - queries.start, 9);
  });

  it('has own mass recall under the method’s positions, and none for re-rotated caches', async () => {
    for (const measured of await probeWith('esa')) {
      expect(measured.ownMassRecall).toBeGreaterThan(0);
      expect(measured.ownMassRecall).toBeLessThanOrEqual(1);
      expect(measured.ownMassRecall).not.toBeCloseTo(measured.massRecall!, 4);
    }
    for (const measured of await probeWith('streaming-llm', { positions: 'cache' })) {
      expect(measured.ownMassRecall).toBeNull();
      expect(measured.massRecall).toBeGreaterThan(0);
      expect(measured.outputErrorAsRun).not.toBeCloseTo(measured.outputError, 3);
    }
  });

  it('has selector recall for compressed scores alone', async () => {
    const [exact] = await probeWith('esa');
    expect(exact!.selectorRecall).toBeNull();
    const recalls: number[] = [];
    for (const compressedDim of [2, 16, 32]) {
      const [measured] = await probeWith('esa', { projection: 'closed-form', compressedDim });
      expect(measured!.selectorRecallPerQuery).toBeGreaterThan(0);
      recalls.push(measured!.selectorRecall!);
      if (compressedDim === 32) expect(measured!.selectorRecallPerQuery).toBe(1);
    }
    expect(recalls[0]).toBeLessThan(recalls[1]!);
    expect(recalls[1]).toBeLessThan(recalls[2]!);
    expect(recalls[2]).toBe(1);
  });

  it('says that second moments come from the open text', async () => {
    const notices: string[] = [];
    await measureLayers({
      text,
      method: methodById('esa'),
      parameters: parametersOf('esa', { projection: 'closed-form' }),
      queries,
      onNotices: (sentences) => notices.push(...sentences),
    });
    expect(notices).toEqual(['Second moments are those of this text: the model brings none.']);
  });

  it.each(['official', 'kvpress'])(
    'says how many channels LagKV (%s) found without any range',
    async (variant) => {
      const plain = { tokens: 64, queryHeads: 2, keyValueHeads: 1, headDimension: 4 };
      const key = Float32Array.from({ length: 64 * 4 }, (_, i) => (i % 4 === 2 ? 0.5 : Math.sin(i)));
      const value = Float32Array.from({ length: 64 * 4 }, (_, i) => Math.cos(i));
      const query = Float32Array.from({ length: 2 * 64 * 4 }, (_, i) => Math.sin(3 * i));
      const made = recordText(createCpuOps(), plain, [{ query, key, value }], { rope: null });
      const lagkv = methodById('lagkv');
      const given = { variant, keepFraction: 0.5, sinkTokens: 0, lagTokens: 16 };
      const parameters = resolveParameters(lagkv, given, contextOf(made));
      const notices: string[] = [];
      await measureLayers({
        text: made,
        method: lagkv,
        parameters,
        // Everything before the last query is read: three partitions are scored, each with one channel that never changes.
        queries: { start: 63, end: 64 },
        onNotices: (sentences) => notices.push(...sentences),
      });
      const scored = variant === 'official' ? /^[1-3] channels/ : /^2 channels/;
      expect(notices).toEqual([expect.stringMatching(scored)]);
      expect(notices[0]).toMatch(/no range in a lag partition/);
    },
  );

  it('has no top-k recall of a LagKV whose scores are mere positions', async () => {
    const short = { variant: 'kvpress', keepFraction: 0.3, lagTokens: 80, sinkTokens: 4 };
    for (const measured of await probeWith('lagkv', short)) {
      expect(measured.massRecall).toBeLessThan(0.999);
      expect([measured.topkRecall, measured.topkChance, measured.tiedAtCut]).toEqual([null, null, null]);
    }
    for (const measured of await probeWith('lagkv', { ...short, lagTokens: 60 }))
      expect(measured.topkRecall).toBeGreaterThan(0);
  });

  it('stops with the signal’s reason', async () => {
    const controller = new AbortController();
    const reason = new Error('overtaken');
    let layers = 0;
    const before = text.ops.memory().bytes;
    const running = measureLayers({
      text,
      method: methodById('esa'),
      parameters: parametersOf('esa'),
      queries,
      signal: controller.signal,
      onLayer: () => {
        layers++;
        controller.abort(reason);
      },
    });
    await expect(running).rejects.toBe(reason);
    expect(layers).toBe(1);
    expect(text.ops.memory().bytes).toBe(before);
  });

  it('gives back all memory', async () => {
    const before = text.ops.memory().bytes;
    for (const method of methods) if (runsOnCapture(method, contextOf(text))) await probeWith(method.id);
    await probeWith('esa', { projection: 'closed-form' });
    await probeWith('lagkv', { variant: 'kvpress' });
    await probeWith('lagkv', { positions: 'cache' });
    expect(text.ops.memory().bytes).toBe(before);
  });
});
