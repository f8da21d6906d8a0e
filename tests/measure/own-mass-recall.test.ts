/**
 * Own mass recall against its definition in 64-bit numbers, made here from un-rotated queries and keys: far keys at 0 seen from w,
 * near ones at their distances; the weight of the kept keys over that of all.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { selectAll } from '../../src/measure/select-all';
import { contextOf } from '../../src/measure/trace-run';
import { esa } from '../../src/methods/esa';
import { numberIn, type Parameters, resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { type LayerTensors, randomLayers, recordText, type TextShape } from '../methods/recorded';
import { describeWebGpu } from '../webgpu-node';

interface Case {
  readonly shape: TextShape;
  readonly given: Record<string, unknown>;
  readonly answerStart: number | null;
  readonly queriesStart: number;
}

const cases: readonly (readonly [name: string, of: Case])[] = [
  [
    'two heads a KV head, w beyond the window, queries across blocks',
    {
      shape: { tokens: 90, queryHeads: 4, keyValueHeads: 2, headDimension: 8 },
      given: { chunkTokens: 16, localTokens: 20, globalPosition: 33, initTokens: 3, selectedTokens: 7 },
      ...{ answerStart: null, queriesStart: 50 },
    },
  ],
  [
    'an answer in blocks of one after blocks of the prompt',
    {
      shape: { tokens: 90, queryHeads: 3, keyValueHeads: 1, headDimension: 4 },
      given: { chunkTokens: 24, localTokens: 10, globalPosition: 10, initTokens: 0, selectedTokens: 12 },
      ...{ answerStart: 79, queriesStart: 60 },
    },
  ],
  [
    'from the first token on, where everything is near',
    {
      shape: { tokens: 61, queryHeads: 2, keyValueHeads: 2, headDimension: 16 },
      given: { chunkTokens: 13, localTokens: 17, globalPosition: 0, initTokens: 5, selectedTokens: 4 },
      ...{ answerStart: null, queriesStart: 0 },
    },
  ],
  [
    'a selection beside which nothing is local',
    {
      shape: { tokens: 70, queryHeads: 2, keyValueHeads: 1, headDimension: 6 },
      given: { chunkTokens: 8, localTokens: 0, globalPosition: 50, initTokens: 2, selectedTokens: 20 },
      ...{ answerStart: 66, queriesStart: 64 },
    },
  ],
];

const tensorsOf = ({ shape }: Case): LayerTensors[] => randomLayers(shape, 2, 5, 1.5);

function study(ops: Ops, of: Case): { text: Trace; parameters: Parameters } {
  const text = recordText(ops, of.shape, tensorsOf(of), { answerStart: of.answerStart });
  const given = { projection: 'exact', ...of.given };
  return { text, parameters: resolveParameters(esa, given, contextOf(text)) };
}

/** q · k with the query `distance` positions after the key, theta 10,000, half-split. */
function product(query: Float32Array, key: Float32Array, distance: number): number {
  const half = query.length / 2;
  let sum = 0;
  for (let j = 0; j < half; j++) {
    const angle = distance * 10000 ** (-j / half);
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    const [a, b] = [query[j]!, query[j + half]!];
    sum += (a * cosine - b * sine) * key[j]! + (b * cosine + a * sine) * key[j + half]!;
  }
  return sum;
}

/** By layer and head, the mean over the queries. */
async function defined(of: Case): Promise<number[][]> {
  const { shape, queriesStart } = of;
  const { tokens, queryHeads, keyValueHeads, headDimension } = shape;
  const { text, parameters } = study(createCpuOps(), of);
  const w = numberIn(parameters, 'globalPosition', 0);
  const localTokens = numberIn(parameters, 'localTokens', 0);
  const recalls: number[][] = [];
  for (const [layer, { queryUnrotated, keyUnrotated }] of tensorsOf(of).entries()) {
    const { blocks } = await selectAll({
      ...{ text, method: esa, parameters, traceIndex: layer, evictAt: queriesStart, withScores: false },
    });
    const vector = (data: Float32Array, head: number, token: number): Float32Array => {
      const start = (head * tokens + token) * headDimension;
      return data.subarray(start, start + headDimension);
    };
    recalls.push(
      Array.from({ length: queryHeads }, (_, head) => {
        const keyHead = Math.floor((head * keyValueHeads) / queryHeads);
        let sum = 0;
        for (const { block, kept } of blocks) {
          const near = Math.max(0, block.start - localTokens);
          const listed = new Set(kept.sets[0]);
          for (let i = Math.max(block.start, queriesStart); i < block.end; i++) {
            let [all, ofKept] = [0, 0];
            for (let t = 0; t <= i; t++) {
              const [query, key] = [
                vector(queryUnrotated!, head, i),
                vector(keyUnrotated!, keyHead, t),
              ] as const;
              const weight = Math.exp(product(query, key, t < near ? w : i - t) / Math.sqrt(headDimension));
              all += weight;
              if (t >= kept.rangeStart || listed.has(t)) ofKept += weight;
            }
            sum += ofKept / all;
          }
        }
        return sum / (tokens - queriesStart);
      }),
    );
  }
  return recalls;
}

async function measured(ops: Ops, of: Case) {
  const { text, parameters } = study(ops, of);
  const queries = { start: of.queriesStart, end: of.shape.tokens };
  return measureLayers({ text, method: esa, parameters, queries });
}

function expectDefined(layers: Awaited<ReturnType<typeof measured>>, wanted: readonly number[][]): void {
  for (const [layer, { heads, ownMassRecall }] of layers.entries()) {
    for (const { head, ownMassRecall: found } of heads) {
      expect(Math.abs(found! - wanted[layer]![head]!), `layer ${layer}, head ${head}`).toBeLessThan(2e-6);
    }
    const mean = wanted[layer]!.reduce((sum, recall) => sum + recall, 0) / heads.length;
    expect(ownMassRecall).toBeCloseTo(mean, 6);
    expect(mean).toBeLessThan(0.99);
  }
  // The model's positions give something else.
  const most = Math.max(
    ...layers.flatMap(({ heads }) => heads.map((of) => Math.abs(of.ownMassRecall! - of.massRecall!))),
  );
  expect(most).toBeGreaterThan(1e-3);
}

describe('own mass recall is its definition', () => {
  it.each(cases)('%s', async (_name, of) => {
    expectDefined(await measured(createCpuOps(), of), await defined(of));
  });
});

describeWebGpu('own mass recall on WebGPU', (gpu) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await createWebGpuOps({ device: gpu.device });
    return () => ops.destroy();
  });

  it.each(cases.slice(0, 2))('%s', async (_name, of) => {
    expectDefined(await measured(ops, of), await defined(of));
  });
});
