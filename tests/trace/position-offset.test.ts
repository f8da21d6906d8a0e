import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { readCapture } from '../../src/model/capture/capture';
import { readSafetensors } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { draw, lcg } from '../golden/lcg';

const [H, G, T, d] = [4, 2, 48, 8];

/** The same queries and keys, turned to positions from `offset` on in double precision; un-rotated ones are left out. */
function captureAt(offset: number) {
  const next = lcg(5);
  const turned = (heads: number): TensorToWrite => {
    const data = draw(next, heads * T * d);
    for (let h = 0; h < heads; h++) {
      for (let t = 0; t < T; t++) {
        for (let j = 0; j < d / 2; j++) {
          const angle = (offset + t) * 10000 ** ((-2 * j) / d);
          const at = (h * T + t) * d + j;
          const [a, b] = [data[at], data[at + d / 2]];
          data[at] = a! * Math.cos(angle) - b! * Math.sin(angle);
          data[at + d / 2] = b! * Math.cos(angle) + a! * Math.sin(angle);
        }
      }
    }
    return { dtype: 'F32', shape: [heads, T, d], data };
  };
  const tensors = {
    'query.0': turned(H),
    'key.0': turned(G),
    'value.0': { dtype: 'F32', shape: [G, T, d], data: draw(next, G * T * d) } as const,
  };
  const metadata = { format: 'keyhole-capture-1', rope_theta: '10000', position_offset: String(offset) };
  return readCapture(readSafetensors(writeSafetensors(tensors, metadata)));
}

const runs: [id: string, parameters: Record<string, unknown>][] = [
  ['oracle', { keepFraction: 0.5 }],
  [
    'esa',
    {
      ...{ projection: 'closed-form', compressedDim: 4, initTokens: 2, localTokens: 8 },
      ...{ chunkTokens: 8, selectedTokens: 8, proximity: 1 },
    },
  ],
  ['streaming-llm', { keepFraction: 0.5, positions: 'cache' }],
  ['lagkv', { keepFraction: 0.5, sinkTokens: 2, lagTokens: 8 }],
];

async function measure(offset: number) {
  const ops = createCpuOps();
  const text = await traceOfCapture(ops, await captureAt(offset));
  const bytes = ops.memory().bytes;
  const results: number[] = [];
  for (const [id, given] of runs) {
    const method = methodById(id);
    const parameters = resolveParameters(method, given, contextOf(text));
    const [layer] = await measureLayers({ text, method, parameters, queries: { start: 24, end: T } });
    results.push(layer!.keptShare);
    // LagKV looks at channels of rotated keys, which depend on where a text begins.
    if (id === 'lagkv') expect(Number.isFinite(layer!.massRecall)).toBe(true);
    else results.push(layer!.massRecall!, layer!.outputError, layer!.outputErrorAsRun);
  }
  text.release();
  return { bytes, results };
}

// Positions are relative: where a text begins changes neither numbers nor what it costs to hold them.
it.each([1, 10_000_000, 2_147_483_647])(
  'a capture that begins at position %d is that at 0',
  async (offset) => {
    const [zero, moved] = [await measure(0), await measure(offset)];
    expect(moved.bytes).toBe(zero.bytes);
    expect(moved.results.length).toBe(4 * runs.length - 3);
    for (const [i, value] of moved.results.entries()) {
      expect(Number.isFinite(value)).toBe(true);
      expect(Math.abs(value - zero.results[i]!)).toBeLessThan(1e-4);
    }
  },
);
