/** The output error after W_O, by its definition: attention and projection written out in double precision. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Rows } from '../../gpu/rows';
import { measureLayers } from '../../src/measure/measure-layers';
import { selectAll } from '../../src/measure/select-all';
import { visibleTokens } from '../../src/measure/selection-reader';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { FULL_AS_TRAINED } from '../../src/methods/full';
import { resolveParameters } from '../../src/methods/parameters';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readWeights } from '../../src/model/architectures/weights';
import { createDecoder } from '../../src/model/decoder/decoder';
import { forward } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import type { Trace } from '../../src/trace/trace';
import { someIds } from '../engine/tiny-model';
import { fixtureText } from '../methods/fixture';
import { fileJson, fixtureTensors } from '../model/files';

const TOKENS = 90;
const queries = { start: 60, end: TOKENS };
const ops = createCpuOps();

/** W_O [D, H·d] of a layer as the file has it. */
const weightsIn = {
  'llama-gqa': (layer: number) => {
    const name = `model.layers.${layer}.self_attn.o_proj.weight`;
    const file = fixtureTensors('llama-gqa/model.safetensors');
    const [, inputs] = file.shape(name) as [number, number];
    const data = file.float32(name);
    return (out: number, channel: number) => data[out * inputs + channel]!;
  },
  // Stored as [inputs, outputs], and with a bias.
  gpt2: (layer: number) => {
    const file = fixtureTensors('gpt2/model.safetensors');
    const name = file.names().find((one) => one.endsWith(`h.${layer}.attn.c_proj.weight`))!;
    const [, outputs] = file.shape(name) as [number, number];
    const data = file.float32(name);
    return (out: number, channel: number) => data[channel * outputs + out]!;
  },
} as const;

async function open(fixture: keyof typeof weightsIn, answerStart: number | null) {
  const config = await parseConfig(fileJson(`tests/fixtures/${fixture}/config.json`));
  const weights = await readWeights(fixtureTensors(`${fixture}/model.safetensors`), config);
  const decoder = await createDecoder(ops, config, weights);
  const { reader } = await forward(decoder, someIds(TOKENS));
  return {
    config,
    text: traceOfSession(decoder, reader, { tokens: TOKENS, answerStart, calibration: null }),
  };
}

async function read(view: Rows): Promise<(head: number, row: number, channel: number) => number> {
  const data = await ops.readFloats(view.buffer);
  return (head, row, channel) => data[view.offset + head * view.headStride + row * view.rowStride + channel]!;
}

/** Σ over the queries of ‖(ô − o)W_Oᵀ‖² and ‖oW_Oᵀ‖²; their ratio's root. */
async function byDefinition(
  text: Trace,
  hidden: number,
  weight: (out: number, channel: number) => number,
  kept: (query: number, head: number) => Uint32Array,
  layer: number,
): Promise<number> {
  const { queryHeads: H, keyValueHeads: G, headDimension: d, scores: rule } = text;
  const query = await read(text.layerTraces[layer]!.query);
  const key = await read(text.layerTraces[layer]!.key);
  const value = await read(text.layerTraces[layer]!.value);
  const attend = (head: number, i: number, tokens: readonly number[]): number[] => {
    const g = Math.floor((head * G) / H);
    const scores = tokens.map((t) => {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += query(head, i, c) * key(g, t, c);
      return sum * rule.scale;
    });
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const all = weights.reduce((sum, one) => sum + one, 0);
    return Array.from({ length: d }, (_, c) =>
      tokens.reduce((sum, t, at) => sum + (weights[at]! / all) * value(g, t, c), 0),
    );
  };
  let squaredError = 0;
  let squaredNorm = 0;
  for (let i = queries.start; i < queries.end; i++) {
    const everything = Array.from({ length: i + 1 }, (_, t) => t);
    const heads = Array.from({ length: H }, (_, head) => head);
    const full = heads.flatMap((head) => attend(head, i, everything));
    const sparse = heads.flatMap((head) => attend(head, i, [...kept(i, head)]));
    for (let out = 0; out < hidden; out++) {
      let [wanted, error] = [0, 0];
      for (const [channel, o] of full.entries()) {
        wanted += o * weight(out, channel);
        error += (sparse[channel]! - o) * weight(out, channel);
      }
      squaredNorm += wanted ** 2;
      squaredError += error ** 2;
    }
  }
  return Math.sqrt(squaredError / squaredNorm);
}

describe('the output error after W_O', () => {
  it.each([
    [
      'llama-gqa',
      'esa',
      { projection: 'exact', initTokens: 3, localTokens: 8, chunkTokens: 16, selectedTokens: 9 },
      null,
    ],
    [
      'llama-gqa',
      'esa',
      { projection: 'exact', initTokens: 3, localTokens: 8, chunkTokens: 16, selectedTokens: 9 },
      70,
    ],
    ['llama-gqa', 'lagkv', { variant: 'kvpress', lagTokens: 9, keepFraction: 0.3 }, null],
    ['llama-gqa', 'streaming-llm', { keepFraction: 0.2, positions: 'cache' }, 70],
    ['gpt2', 'oracle', { keepFraction: 0.15 }, null],
    ['gpt2', 'random', { keepFraction: 0.3 }, 75],
  ] as const)('%s, %s %o, answer from %s', async (fixture, id, given, answerStart) => {
    const { text, config } = await open(fixture, answerStart);
    const method = methodById(id);
    const parameters = resolveParameters(method, given, contextOf(text));
    const before = ops.memory().bytes;
    const layers = await measureLayers({ text, method, parameters, queries });
    expect(ops.memory().bytes).toBe(before);
    for (const { layer, outputErrorProjected, outputError } of layers) {
      const { blocks } = await selectAll({
        ...{ text, method, parameters, traceIndex: layer, evictAt: queries.start, withScores: false },
      });
      const keptBy = (query: number, head: number): Uint32Array => {
        const { kept } = blocks.find(({ block }) => block.start <= query && query < block.end)!;
        return visibleTokens(kept, Math.floor((head * kept.sets.length) / text.queryHeads), query + 1);
      };
      const weight = weightsIn[fixture](layer);
      const wanted = await byDefinition(text, config.hiddenSize, weight, keptBy, layer);
      expect(outputErrorProjected).toBeGreaterThan(1e-3);
      expect(Math.abs(outputErrorProjected! / wanted - 1)).toBeLessThan(1e-5);
      expect(Math.abs(outputErrorProjected! / outputError - 1)).toBeGreaterThan(1e-4);
    }
    text.release();
  });

  it('is 0 where all is kept, and null for a capture', async () => {
    const { text } = await open('llama-gqa', null);
    const full = methodById('full');
    for (const { outputErrorProjected } of await measureLayers({
      text,
      method: full,
      parameters: FULL_AS_TRAINED,
      queries,
    }))
      expect(outputErrorProjected).toBeLessThan(1e-6);
    text.release();
    const capture = { ...fixtureText(ops), outputWeight: () => null };
    const oracle = methodById('oracle');
    const parameters = resolveParameters(oracle, {}, contextOf(capture));
    for (const layer of await measureLayers({ text: capture, method: oracle, parameters, queries }))
      expect(layer.outputErrorProjected).toBeNull();
  });
});
