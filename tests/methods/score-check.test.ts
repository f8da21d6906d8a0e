/** Scores that are not finite end every kind of run in a sentence that names the layer. */
import { beforeAll, describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { generate } from '../../src/engine/generation';
import { explainRow } from '../../src/measure/explain-row';
import { measureLayers } from '../../src/measure/measure-layers';
import { Memo } from '../../src/measure/memo';
import { selectAll } from '../../src/measure/select-all';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { someIds, tinyDecoder } from '../engine/tiny-model';
import { describeWebGpu } from '../webgpu-node';
import { type LayerTensors, randomLayers, recordText } from './recorded';

const shape = { tokens: 120, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const esa = { localTokens: 16, chunkTokens: 24, initTokens: 4, selectedTokens: 12 };
const queries = { start: 90, end: 120 };

/** Layer 1 of 3 with one number at token 40 (a key) or 100 (a query) of the last head. */
function damaged(tensor: keyof LayerTensors, value: number): LayerTensors[] {
  const layers = randomLayers(shape, 3, 3);
  const numbers = layers[1]![tensor]!;
  const token = tensor.startsWith('query') ? 100 : 40;
  numbers[numbers.length - (shape.tokens - token) * shape.headDimension] = value;
  return layers;
}

const cases: readonly (readonly [id: string, given: object, tensor: keyof LayerTensors, value: number])[] = [
  ['esa', { ...esa, projection: 'exact' }, 'keyUnrotated', Number.NaN],
  ['esa', { ...esa, projection: 'exact' }, 'keyUnrotated', Number.POSITIVE_INFINITY],
  // Beside it 23 queries of the block have scores: a maximum over all would pass by it.
  ['esa', { ...esa, projection: 'exact' }, 'queryUnrotated', Number.NaN],
  ['lagkv', { lagTokens: 12, sinkTokens: 4 }, 'value', Number.NaN],
  ['lagkv', { lagTokens: 12, sinkTokens: 4, variant: 'kvpress' }, 'value', Number.NaN],
];

/** Those whose queries from 95 on are an answer's, decided in one pass. */
const answered = cases.filter(([id]) => id === 'esa');

const ofKeys = cases.filter(([, , tensor]) => tensor !== 'queryUnrotated');

const prepare = (
  ops: Ops,
  [id, given, tensor, value]: (typeof cases)[number],
  answerStart: number | null = null,
) => {
  const text = recordText(ops, shape, damaged(tensor, value), { answerStart });
  const method = methodById(id);
  const parameters = resolveParameters(method, { ...given }, contextOf(text));
  return { text, method, parameters };
};
const sentence = (id: string) =>
  new RegExp(`^${id}: in layer 1 the scores of keys are not finite: numbers there are too large for 32 bits`);

describe('scores that are not finite', () => {
  it.each(cases)('%s %j, %s %d: select, probe, sweep and a query’s row refuse them', async (...of) => {
    const { text, method, parameters } = prepare(createCpuOps(), of);
    const wanted = sentence(of[0]);
    const memo = new Memo();
    const evictAt = queries.start;
    const ofLayer = (traceIndex: number) =>
      selectAll({ ...{ text, method, parameters, traceIndex, evictAt, memo }, withScores: true });
    const row = (layer: number) =>
      explainRow({ text, method, parameters, memo, layer, head: 1, query: 110, evictAt });
    await expect(ofLayer(1)).rejects.toThrow(wanted);
    // What was made of them is not found again.
    await expect(ofLayer(1)).rejects.toThrow(wanted);
    await expect(row(1)).rejects.toThrow(wanted);
    const probed = measureLayers({ text, method, parameters, queries, memo });
    await expect(probed).rejects.toThrow(wanted);
    const methods = [{ method, parameters, current: true }];
    await expect(sweep({ text, methods, fractions: [0.5], queries, memo })).rejects.toThrow(/layer 1/);
    // The other layers have theirs.
    expect((await ofLayer(0)).blocks.length).toBeGreaterThan(0);
    expect((await row(2)).scores).not.toBeNull();
    memo.close();
  });

  it.each(answered)('%s %j, %s %d, in an answer decided in one pass', async (...of) => {
    const { text, method, parameters } = prepare(createCpuOps(), of, 95);
    const request = { text, method, parameters, evictAt: queries.start, withScores: false };
    await expect(selectAll({ ...request, traceIndex: 1 })).rejects.toThrow(sentence(of[0]));
    expect((await selectAll({ ...request, traceIndex: 2 })).blocks.length).toBeGreaterThan(25);
    // The answer's queries alone: no block of several is scored.
    const alone = { text, method, parameters, queries: { start: 95, end: 120 } };
    const before = text.ops.memory().bytes;
    await expect(measureLayers(alone)).rejects.toThrow(sentence(of[0]));
    expect(text.ops.memory().bytes, 'nothing stays').toBe(before);
  });

  it.each(ofKeys)(
    '%s %j, %s %d: also where the run that made them was cancelled before it knew',
    async (...of) => {
      const { text, method, parameters } = prepare(createCpuOps(), of);
      const before = text.ops.memory().bytes;
      const memo = new Memo();
      const all = {
        text,
        method,
        parameters,
        traceIndex: 1,
        evictAt: queries.start,
        withScores: false,
        memo,
      };
      const stop = new AbortController();
      const { pace } = text.ops;
      // When a block has scored the key, before the last one.
      const blocks = of[0] === 'esa' ? 4 : 7;
      let paced = 0;
      text.ops.pace = async () => {
        paced += 1;
        if (paced === blocks) stop.abort(new Error('cancelled'));
        await pace();
      };
      await expect(selectAll({ ...all, signal: stop.signal })).rejects.toThrow('cancelled');
      text.ops.pace = pace;
      await expect(selectAll(all)).rejects.toThrow(sentence(of[0]));
      await expect(selectAll(all)).rejects.toThrow(sentence(of[0]));
      expect((await selectAll({ ...all, traceIndex: 0 })).blocks.length).toBeGreaterThan(0);
      memo.close();
      expect(text.ops.memory().bytes).toBe(before);
    },
  );

  it.each(['head', 'group'])('bounds of pages, chosen by %s', async (share) => {
    const of = ['quest', { denseLayers: 0, budgetTokens: 48, share }, 'key', Number.NaN] as const;
    const { text, method, parameters } = prepare(createCpuOps(), of);
    const request = { text, method, parameters, evictAt: queries.start, withScores: false };
    await expect(selectAll({ ...request, traceIndex: 1 })).rejects.toThrow(sentence('quest'));
    expect((await selectAll({ ...request, traceIndex: 0 })).blocks.length).toBeGreaterThan(30);
  });

  it.each(['keyUnrotated', 'value'] as const)(
    'of which a cache of mixtures has none: %s end its probe by the outputs',
    async (tensor) => {
      const of = ['freqkv', { cacheTokens: 20, sinkTokens: 2 }, tensor, Number.NaN] as const;
      const { text, method, parameters } = prepare(createCpuOps(), of);
      const request = { text, method, parameters, evictAt: queries.start, withScores: true };
      // Which tokens are mixed depends on no number.
      const { after } = await selectAll({ ...request, traceIndex: 1 });
      expect([...after.kept.sets[0]!].slice(0, 2)).toEqual([0, 1]);
      expect(after.scores).toBeNull();
      const before = text.ops.memory().bytes;
      await expect(measureLayers({ text, method, parameters, queries })).rejects.toThrow(
        /^The attention outputs of layer 1, head 2 are not finite/,
      );
      expect(text.ops.memory().bytes, 'nothing stays').toBe(before);
    },
  );

  it('end a free run', async () => {
    const ops = createCpuOps();
    let first: unknown = null;
    let isSpoiled = false;
    const spoiled = Object.assign(Object.create(ops) as Ops, {
      lagScores(a: Parameters<Ops['lagScores']>[0]) {
        ops.lagScores(a);
        first ??= a.key.buffer;
        if (a.key.buffer === first || isSpoiled) return;
        // The second layer's first ones.
        isSpoiled = true;
        ops.write(a.out.buffer, a.out.offset, Float32Array.of(Number.NaN));
      },
    });
    const decoder = await tinyDecoder(spoiled);
    const ids = someIds(140);
    const method = methodById('lagkv');
    const read = () => {
      const context = { ...decoder.config, tokens: ids.length };
      return generate({
        decoder,
        method,
        parameters: resolveParameters(method, { lagTokens: 16, sinkTokens: 4 }, context),
        ...{ calibration: null, layerTraces: null, ids, answerStart: 120, queriesStart: 100 },
        keepQueries: false,
        isAnswerComplete: (generated) => generated.length >= 2,
        signal: new AbortController().signal,
        onProgress: () => {},
      });
    };
    const before = ops.memory().bytes;
    await expect(read()).rejects.toThrow(sentence('lagkv'));
    expect(ops.memory().bytes).toBe(before);
    // Sound ones do not.
    const reading = await read();
    expect(reading.generated).toHaveLength(2);
    reading.session.release();
  });

  it('of scores that are finite, however large, nothing is said', async () => {
    const large = randomLayers(shape, 1, 4, 1e9);
    const text = recordText(createCpuOps(), shape, large);
    const method = methodById('esa');
    const parameters = resolveParameters(method, { ...esa, projection: 'exact' }, contextOf(text));
    const before = text.ops.memory().bytes;
    const [layer] = await measureLayers({ text, method, parameters, queries });
    expect(layer!.keptShare).toBeLessThan(0.6);
    expect(text.ops.memory().bytes).toBe(before);
  });
});

describeWebGpu('scores that are not finite, on WebGPU', (gpu) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await createWebGpuOps({ device: gpu.device });
    return () => ops.destroy();
  });

  it.each(cases)('%s %j, %s %d', async (...of) => {
    const { text, method, parameters } = prepare(ops, of);
    const request = { text, method, parameters, evictAt: queries.start, withScores: false };
    await expect(selectAll({ ...request, traceIndex: 1 })).rejects.toThrow(sentence(of[0]));
    expect((await selectAll({ ...request, traceIndex: 0 })).blocks.length).toBeGreaterThan(0);
  });

  it.each(answered)('%s %j, %s %d, in an answer decided in one pass', async (...of) => {
    const { text, method, parameters } = prepare(ops, of, 95);
    const request = { text, method, parameters, evictAt: queries.start, withScores: false };
    await expect(selectAll({ ...request, traceIndex: 1 })).rejects.toThrow(sentence(of[0]));
    expect((await selectAll({ ...request, traceIndex: 2 })).blocks.length).toBeGreaterThan(25);
  });

  it('products that leave 32 bits', async () => {
    const text = recordText(ops, shape, randomLayers(shape, 1, 4, 1e22));
    const method = methodById('esa');
    const parameters = resolveParameters(method, { ...esa, projection: 'exact' }, contextOf(text));
    await expect(
      selectAll({ text, method, parameters, traceIndex: 0, evictAt: 90, withScores: false }),
    ).rejects.toThrow('in layer 0 the scores of keys are not finite');
  });
});
