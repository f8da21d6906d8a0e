/**
 * Attention to all keys at positions of a method's own, against its definition in 64-bit numbers: every key rotated to where the
 * method says it stands. Settings of stretched positions are read as a model's config.json would have them.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { headMajorRows } from '../../gpu/rows';
import { createWebGpuOps } from '../../gpu/webgpu';
import { isOwnRun, ownRowWeights } from '../../src/measure/own-positions';
import { contextOf, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { parseRope } from '../../src/model/architectures/rope-config';
import { type Rope, rotaryFrequencies, rotaryScale } from '../../src/model/decoder/rope';
import { describeWebGpu } from '../webgpu-node';
import { type LayerTensors, randomLayers, recordText, type TextShape } from './recorded';

const TRAINED = 32;
const ANSWER = 85;
const shape: TextShape = { tokens: 90, queryHeads: 4, keyValueHeads: 2, headDimension: 16 };
const layers = randomLayers(shape, 2, 11, 1);
const rope: Rope = { kind: 'default', theta: 10_000 };

interface Case {
  readonly method: 'full' | 'grouped-positions';
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly ropeOf: (layer: number) => Rope;
  /** Where a query of the block that begins at `start` and a key stand. */
  readonly places?: (layer: number, start: number, query: number, key: number) => readonly [number, number];
}

const settings = (given: Record<string, unknown>): Rope =>
  parseRope({ rope_theta: 10_000, ...given }, { trainedTokens: TRAINED, theta: 10_000 }, 'the settings');
const yarn = (factor: number): Rope =>
  settings({ rope_type: 'yarn', factor, original_max_position_embeddings: TRAINED });

const cases: Readonly<Record<string, Case>> = {
  'linear, another factor in each layer': {
    method: 'full',
    parameters: { rope: 'linear', ropeFactor: [2, 3.5] },
    ropeOf: (layer) => settings({ rope_type: 'linear', factor: [2, 3.5][layer] }),
  },
  'ntk by 4': {
    method: 'full',
    parameters: { rope: 'ntk', ropeFactor: 4 },
    ropeOf: () => ({ kind: 'default', theta: 10_000 * 4 ** (16 / 14) }),
  },
  'yarn by default: T/N rounded up': { method: 'full', parameters: { rope: 'yarn' }, ropeOf: () => yarn(3) },
  'yarn by 1, which is the model': {
    method: 'full',
    parameters: { rope: 'yarn', ropeFactor: 1 },
    ropeOf: () => rope,
  },
  'groups of 4, a query at a time': {
    method: 'grouped-positions',
    parameters: { groupSize: 4, neighborTokens: 10, chunkTokens: 1 },
    ropeOf: () => rope,
    places: (_layer, _start, query, key) =>
      query - key < 10 ? [query, key] : [Math.floor(query / 4) + 10 - 2, Math.floor(key / 4)],
  },
  'groups that differ by layer, 13 queries at a time': {
    method: 'grouped-positions',
    parameters: { groupSize: [3, 5], neighborTokens: [8, 17], chunkTokens: 13 },
    ropeOf: () => rope,
    places(layer, start, query, key) {
      const [group, near] = [[3, 5][layer]!, [8, 17][layer]!];
      if (key > start - near) return [query, key];
      return [Math.floor(query / group) + near - Math.floor(near / group), Math.floor(key / group)];
    },
  },
};

/** One channel vector at a position. */
function turned(from: Float32Array, start: number, position: number, turn: Rope): Float64Array {
  const { headDimension: d } = shape;
  const frequencies = rotaryFrequencies(turn, d, shape.tokens);
  const scale = rotaryScale(turn);
  const out = new Float64Array(d);
  for (let j = 0; j < d / 2; j++) {
    const angle = position * frequencies[j]!;
    const [a, b] = [from[start + j]!, from[start + j + d / 2]!];
    out[j] = scale * (a * Math.cos(angle) - b * Math.sin(angle));
    out[j + d / 2] = scale * (b * Math.cos(angle) + a * Math.sin(angle));
  }
  return out;
}

/** The weights of one query and what they give. */
function reference(of: Case, layer: number, head: number, start: number, query: number) {
  const { tokens, headDimension: d } = shape;
  const { queryUnrotated, keyUnrotated, value } = layers[layer] as Required<LayerTensors>;
  const keyHead = Math.floor(head / 2);
  const turn = of.ropeOf(layer);
  const logits = Array.from({ length: query + 1 }, (_, key) => {
    const [queryAt, keyAt] = of.places?.(layer, start, query, key) ?? [query, key];
    const q = turned(queryUnrotated, (head * tokens + query) * d, queryAt, turn);
    const k = turned(keyUnrotated, (keyHead * tokens + key) * d, keyAt, turn);
    return q.reduce((sum, x, c) => sum + x * k[c]!, 0) / Math.sqrt(d);
  });
  const most = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
  const weights = logits.map((logit) => Math.exp(logit - most) / sum);
  const output = Array.from({ length: d }, (_, c) =>
    weights.reduce((total, weight, key) => total + weight * value[(keyHead * tokens + key) * d + c]!, 0),
  );
  return { weights, output };
}

function describeOn(createOps: () => Promise<Ops>, tolerance: number): void {
  let ops: Ops;
  beforeAll(async () => {
    ops = await createOps();
  });

  it.each(Object.entries(cases))('%s', async (_name, of) => {
    const text = recordText(ops, shape, layers, { trainedTokens: TRAINED, answerStart: ANSWER });
    const method = methodById(of.method);
    const parameters = resolveParameters(method, of.parameters, contextOf(text));
    const started = await startTraceRun(text, method, parameters, ANSWER);
    const { queryHeads: H, headDimension: d, tokens } = shape;
    let compared = 0;
    for (const [layer, recorded] of text.layerTraces.entries()) {
      for (const block of started.blocks) {
        const rows = block.end - block.start;
        const input = started.inputOf(recorded, block);
        const selection = started.run.select(input);
        const out = headMajorRows(ops.allocate('f32', H * rows * d, 'output'), H, rows, d);
        const lambda = ops.allocate('f32', H * rows, 'log-sum-exp');
        const logSumExp = { buffer: lambda, offset: 0, headStride: rows };
        started.run.attend!(input, selection, out, logSumExp);
        const actual = await ops.readFloats(out.buffer);
        ops.release(out.buffer, lambda, ...selection.owned);
        for (let head = 0; head < H; head++) {
          for (let row = 0; row < rows; row += 5) {
            const { output } = reference(of, layer, head, block.start, block.start + row);
            const from = (head * rows + row) * d;
            for (let c = 0; c < d; c++)
              expect(Math.abs(actual[from + c]! - output[c]!)).toBeLessThan(tolerance);
            compared++;
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(100);
    // What the map and the token strip show.
    const run = method.start(methodContext(text, ANSWER), parameters);
    if (!isOwnRun(run)) throw new Error('positions of its own');
    for (const query of [0, 40, tokens - 1]) {
      const block = started.blocks.find(({ end }) => end > query)!;
      const weights = await ownRowWeights(text, run, text.layerTraces[1]!, 3, block, query);
      const wanted = reference(of, 1, 3, block.start, query).weights;
      for (const [key, weight] of wanted.entries())
        expect(Math.abs(weights[key]! - weight)).toBeLessThan(tolerance);
    }
    run.dispose();
    started.dispose();
  });
}

describe('own positions of all keys on the CPU', () => describeOn(async () => createCpuOps(), 3e-6));
describeWebGpu('own positions of all keys on WebGPU', (gpu) =>
  describeOn(() => createWebGpuOps({ device: gpu.device }), 3e-5),
);

describe('what cannot be stretched is refused', () => {
  const start = (options: Parameters<typeof recordText>[3], given: Record<string, unknown>) => {
    const text = recordText(createCpuOps(), shape, layers, options);
    const full = methodById('full');
    return () =>
      full.start(methodContext(text, 90), resolveParameters(full, given, contextOf(text))).farRows!({
        ...text.layerTraces[0]!,
        block: { start: 0, end: 90 },
      });
  };
  it('positions that are stretched already', () => {
    expect(start({ rope: yarn(2), trainedTokens: 32 }, { rope: 'linear' })).toThrow(
      'full: the model\'s own positions are stretched already (yarn); choose rope "model".',
    );
  });
  it('no rotary positions', () => {
    expect(start({ rope: null }, { rope: 'ntk' })).toThrow('no rotary positions that are known');
  });
  it('yarn without a trained length', () => {
    expect(start({}, { rope: 'yarn' })).toThrow('yarn needs the trained length');
  });
});
