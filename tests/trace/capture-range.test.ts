import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { readCapture } from '../../src/model/capture/capture';
import { readSafetensors } from '../../src/model/files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { draw, lcg } from '../golden/lcg';
import { describeWebGpu } from '../webgpu-node';

const [H, G, T, d] = [2, 1, 40, 8];

interface Given {
  readonly query: (head: number, token: number, channel: number) => number;
  readonly key: (token: number, channel: number) => number;
  readonly value?: (token: number, channel: number) => number;
  readonly scale?: string;
  readonly unrotated?: Given['query'];
}

function captureOf({ query, key, value, scale = '1', unrotated }: Given) {
  const next = lcg(3);
  const noise = draw(next, T * d);
  const tensor = (heads: number, at: Given['query']): TensorToWrite => ({
    dtype: 'F32',
    shape: [heads, T, d],
    data: Float32Array.from({ length: heads * T * d }, (_, i) =>
      at(Math.floor(i / (T * d)), Math.floor(i / d) % T, i % d),
    ),
  });
  const tensors: Record<string, TensorToWrite> = {
    'query.3': tensor(H, query),
    'key.3': tensor(G, (_, t, c) => key(t, c)),
    'value.3': tensor(G, (_, t, c) => (value ? value(t, c) : noise[t * d + c])!),
  };
  if (unrotated) {
    tensors['query_unrotated.3'] = tensor(H, unrotated);
    tensors['key_unrotated.3'] = tensors['key.3']!;
  }
  const metadata = { format: 'keyhole-capture-1', attention_scale: scale };
  return readCapture(readSafetensors(writeSafetensors(tensors, metadata)));
}

const small = (t: number, c: number): number => Math.sin(t + c);

async function measure(ops: Ops, given: Given, id: string, parameters: object) {
  const text = await traceOfCapture(ops, await captureOf(given));
  const method = methodById(id);
  const all = resolveParameters(method, { ...parameters }, contextOf(text));
  const [layer] = await measureLayers({ text, method, parameters: all, queries: { start: 8, end: T } });
  text.release();
  return layer;
}

describe('a capture beyond 32 bits is refused with layer and head', () => {
  const refused: [what: string, given: Given, sentence: RegExp][] = [
    [
      'scores',
      { query: (h, t, c) => (h === 1 && t === 39 && c === 2 ? 5e19 : 0), key: (t) => (t === 3 ? 5e19 : 0) },
      /^Layer 3, head 1 of the capture: scores of queries and keys may reach 7\.1e\+39, more than can be computed with in 32 bits; scale what was recorded\.$/,
    ],
    [
      'scores by the scale',
      { query: (h) => (h === 0 ? 1e17 : 0), key: () => 1e17, scale: '1000000' },
      /^Layer 3, head 0 of the capture: scores of queries and keys may reach 8\.0e\+40/,
    ],
    [
      'queries before rotation',
      { query: () => 1, key: () => 1e19, unrotated: () => 1e20 },
      /^Layer 3, head 0 of the capture: scores of un-rotated queries and keys may reach/,
    ],
    [
      'keys',
      { query: () => 0, key: () => 2e38 },
      /^Layer 3, head 0 of the capture: queries or keys reach 2\.0e\+38/,
    ],
    [
      'sums of values',
      { query: (_, t, c) => small(t, c), key: small, value: (t) => (t === 7 ? -3e37 : 0) },
      /^Layer 3, key-value head 0 of the capture: sums of its values may reach 1\.2e\+39/,
    ],
  ];
  it.each(refused)('%s', async (_, given, sentence) => {
    const ops = createCpuOps();
    await expect(traceOfCapture(ops, await captureOf(given))).rejects.toThrow(sentence);
    expect(ops.memory().bytes).toBe(0);
  });
});

it('refuses a measurement that is no number, with method, layer and head', async () => {
  // Values of opposite sign and one weight each: full attention gives exactly 0, so nothing is relative to it.
  const given: Given = {
    query: () => 0,
    key: () => 0,
    value: (t) => (t < T / 2 ? 1 : -1),
  };
  const text = await traceOfCapture(createCpuOps(), await captureOf(given));
  const method = methodById('streaming-llm');
  const parameters = resolveParameters(method, { keepFraction: 0.1, sinkTokens: 1 }, contextOf(text));
  await expect(measureLayers({ text, method, parameters, queries: { start: 39, end: 40 } })).rejects.toThrow(
    /^streaming-llm: the output error of layer 3, head 0 is Infinity: .*\.$/,
  );
});

// 2⁶⁰ · 2⁶⁶ = 2¹²⁶ and the like are exact in 32 bits, so that equal scores are equal.
const low = (power: number, isHigh: (t: number) => boolean): Given => ({
  query: (_, __, c) => (c === 0 ? 2 ** 60 : 0),
  key: (t, c) => (c === 0 ? -(2 ** (power - 60)) * (isHigh(t) ? 1 : 1.5) : 0),
});
const runs: [string, object][] = [
  ['oracle', { keepFraction: 0.5 }],
  ['streaming-llm', { keepFraction: 0.5, sinkTokens: 2 }],
  ['full', {}],
];

describeWebGpu('scores far below zero are scores', (gpu) => {
  it.each([90, 100, 113, 126])('%d: 2 to that power below, the same on both backends', async (power) => {
    const webgpu = await createWebGpuOps({ device: gpu.device });
    const cpu = createCpuOps();
    for (const isHigh of [() => false, (t: number) => t % 3 === 0, (t: number) => t === 31 || t === 32]) {
      for (const [id, parameters] of runs) {
        const given = low(power, isHigh);
        const [onCpu, onGpu] = [
          await measure(cpu, given, id, parameters),
          await measure(webgpu, given, id, parameters),
        ];
        expect(onGpu!.keptShare).toBe(onCpu!.keptShare);
        for (const name of ['massRecall', 'outputError', 'outputErrorAsRun'] as const)
          expect(Math.abs(onGpu![name]! - onCpu![name]!), `${id} ${name}`).toBeLessThan(1e-4);
        if (id === 'full') expect(onCpu).toMatchObject({ massRecall: 1, outputError: 0 });
      }
    }
    webgpu.destroy();
    cpu.destroy();
  });
});
