/** What a study takes of a GPU's memory, planned and measured, under WebGPU's default limits and a budget of 2 GiB. */
import { createWebGpuOps } from '../gpu/webgpu';
import { deviceRequest } from '../gpu/webgpu/capabilities';
import { type Generation, type GenerationRequest, generate } from '../src/engine/generation';
import { plannedBytes, weightBuffers } from '../src/engine/memory/buffers';
import { type MemoryPhase, mostTokens, planMemory } from '../src/engine/memory/plan';
import { compareStates } from '../src/measure/logits';
import { measureLayers } from '../src/measure/measure-layers';
import { SWEEP_FRACTIONS, sweep } from '../src/measure/sweep';
import { methodById } from '../src/methods';
import { FULL_AS_TRAINED, full } from '../src/methods/full';
import { resolveParameters } from '../src/methods/parameters';
import type { ModelConfig } from '../src/model/architectures/config';
import { createDecoder } from '../src/model/decoder/decoder';
import { traceOfSession } from '../src/trace/from-decoder';
import { llamaConfig, randomWeights } from './random-model';
import type { Bench, Section } from './section';
import { type Column, headerLine, tableLine } from './table';

const BUDGET_BYTES = 2 ** 31;

interface Case {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokens: number;
}

/** Both have random weights: memory does not depend on them. */
const CASES: readonly Case[] = [
  {
    name: 'shape of SmolLM2-135M',
    tokens: 8192,
    config: llamaConfig({
      ...{ layers: 30, hiddenSize: 576, queryHeads: 9, keyValueHeads: 3, headDimension: 64 },
      ...{ feedForwardSize: 1536, vocabularySize: 49_152, trainedTokens: 8192 },
    }),
  },
  {
    name: 'shape of the bundled model',
    tokens: 32_768,
    config: llamaConfig({
      ...{ layers: 8, hiddenSize: 192, queryHeads: 6, keyValueHeads: 2, headDimension: 32 },
      ...{ feedForwardSize: 512, vocabularySize: 2048, trainedTokens: 1024 },
    }),
  },
];

/** On a device that computes in software: the same steps, small. */
const SOFTWARE_CASE: Case = {
  name: 'a small shape',
  tokens: 160,
  config: { ...CASES[1]!.config, layers: 2 },
};

const COLUMNS: readonly Column[] = [
  { title: 'after', width: 20, align: 'left' },
  { title: 'planned MiB', width: 14 },
  { title: 'measured MiB', width: 14 },
  { title: 's', width: 10 },
];

export const memory: Section = {
  name: 'memory',
  title: 'Memory of a study with ESA: full attention, probe run of all layers, free run; most so far',
  needsGpu: true,
  async run(bench) {
    for (const one of bench.ops.isSoftware ? [SOFTWARE_CASE] : CASES) await measureCase(bench, one);
  },
};

// Kept: Dawn's instance must outlive its adapters and devices.
let instance: GPU | undefined;

async function measureCase({ print, figure }: Bench, { name, config, tokens }: Case): Promise<void> {
  const { create } = await import('webgpu');
  instance ??= create([]);
  const adapter = await instance.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('There is no second device to measure memory on.');
  // No limit is asked for: the device has WebGPU's default ones.
  const device = await adapter.requestDevice({ requiredFeatures: deviceRequest(adapter).requiredFeatures });
  const ops = await createWebGpuOps({ device, capabilities: { memoryBytes: BUDGET_BYTES } });
  const method = methodById('esa');
  const given = { projection: 'exact' };
  const parameters = resolveParameters(method, given, { ...config, tokens });
  const queriesStart = tokens - Math.ceil(tokens / 8);
  const request = {
    ...{ config, method, parameters, tokens, queriesStart, answerStart: null, limits: ops.memoryLimits },
    parts: ['probe', 'free'] as const,
  };
  const plan = planMemory(request);
  const longest = mostTokens({ ...request, tokens: 2 ** 20, queriesStart: 0.875 * 2 ** 20 });
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const limits = `buffers up to ${mebibytes(maxBufferSize)} MiB, bindings up to ${mebibytes(maxStorageBufferBindingSize)} MiB`;
  print(`${name}, ${tokens} tokens, ${mebibytes(BUDGET_BYTES)} MiB, ${limits}; ${longest} tokens would fit`);
  print(headerLine(COLUMNS));
  const rows: { phase: string; plannedBytes: number; measuredBytes: number; seconds: number }[] = [];
  let planned = 0;
  const step = async <T>(phase: MemoryPhase['name'], work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    const seconds = (performance.now() - start) / 1000;
    planned = Math.max(planned, plan.phases.find((entry) => entry.name === phase)?.bytes ?? 0);
    const measured = ops.memory().peakBytes;
    rows.push({ phase, plannedBytes: planned, measuredBytes: measured, seconds });
    print(tableLine(COLUMNS, [phase, mebibytes(planned), mebibytes(measured), seconds.toFixed(1)]));
    return result;
  };

  const decoder = await step('weights', () => createDecoder(ops, config, randomWeights(config)));
  const ids = Uint32Array.from({ length: tokens }, (_, i) => (i * 7919 + (i >> 5)) % config.vocabularySize);
  const read = (change: Pick<GenerationRequest, 'method' | 'parameters' | 'keepQueries' | 'rotatedLayers'>) =>
    generate({
      ...{ decoder, ids, queriesStart, answerStart: null, calibration: null, layerTraces: null },
      isAnswerComplete: () => true,
      signal: new AbortController().signal,
      onProgress: () => {},
      ...change,
    });
  const reading = await step('full attention', () =>
    read({
      method: full,
      parameters: FULL_AS_TRAINED,
      keepQueries: true,
      rotatedLayers: plan.rotatedLayers.full,
    }),
  );
  const text = traceOfSession(decoder, reading.session, { tokens, calibration: null });
  const queries = { start: queriesStart, end: tokens };
  const layers = await step('measuring', () => measureLayers({ text, method, parameters, queries }));
  const methods = [{ method, parameters, current: true }];
  await step('measuring', () => sweep({ text, methods, fractions: SWEEP_FRACTIONS.slice(-4), queries }));
  const free: Generation = await step('free run', () =>
    read({ method, parameters, keepQueries: false, rotatedLayers: plan.rotatedLayers.free }),
  );
  free.session.release();
  const compared = await step('comparing', () =>
    compareStates(decoder, reading.queryStates, free.queryStates, ids.subarray(queriesStart + 1)),
  );
  text.release();
  const held = ops.memory().bytes - plannedBytes(weightBuffers(config, ops.memoryLimits), ops.memoryLimits);
  print(
    `mass recall ${layers[0]!.massRecall!.toFixed(4)} in layer 0, divergence ${compared.divergenceNats.toFixed(4)} nats; ` +
      `afterwards ${mebibytes(held)} MiB are held beside the weights\n`,
  );
  figure(`memory, ${name}`, { tokens, budgetBytes: BUDGET_BYTES, longest, rows });
  decoder.release();
  ops.destroy();
  device.destroy();
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
