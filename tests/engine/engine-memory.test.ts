import { beforeAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { isUserError } from '../../src/base/user-error';
import { Engine } from '../../src/engine/engine';
import type { StudyEnvironment } from '../../src/engine/environment';
import type { Part, PostedEvent } from '../../src/engine/events';
import { planMemory } from '../../src/engine/memory/plan';
import { asKept } from '../../src/engine/open-model';
import { methodById } from '../../src/methods';
import type { MethodSpec } from '../../src/methods/method-spec';
import { resolveParameters } from '../../src/methods/parameters';
import { nodeFolder } from '../../src/model/files/folder-node';
import type { StudySpec } from '../../src/study/spec';
import { describeWebGpu, requestTestAdapter } from '../webgpu-node';
import { bundled } from './model-shapes';

const environment: StudyEnvironment = {
  modelFolder: () => nodeFolder('samples/model'),
  sampleTexts: async () => [
    { id: 'keeper', title: 'A keeper', text: 'The lighthouse keeper climbed the stairs. '.repeat(400) },
  ],
};

const esa: MethodSpec = {
  id: 'esa',
  parameters: {
    projection: 'exact',
    ...{ initTokens: 4, localTokens: 32, chunkTokens: 32, selectedTokens: 16 },
  },
};
const kvzip: MethodSpec = { id: 'kvzip', parameters: {} };
const streaming: MethodSpec = { id: 'streaming-llm', parameters: { keepFraction: 0.25 } };

const spec = (tokens: number, method: MethodSpec): StudySpec => ({
  model: 'bundled',
  source: { kind: 'sample', sample: 'keeper', tokens },
  method,
  pinned: [],
  queriesStart: null,
  startToken: null,
});

async function run(engine: Engine, study: StudySpec, parts: readonly Part[] = ['probe', 'free']) {
  const events: PostedEvent[] = [];
  await engine.run({
    ...{ spec: study, parts, full: null, onFull: () => {} },
    signal: new AbortController().signal,
    emit: (event) => events.push(event),
  });
  return events;
}

/** Studies of other lengths and methods between two that are alike: with the first length or the other, ESA or not. */
type Between = readonly (readonly [length: 0 | 1, method: MethodSpec])[];

function replaces(open: () => Promise<Ops> | Ops, tokens: readonly [number, number], between: Between): void {
  test('holds the same after studies by another method and of another length', async () => {
    const ops = await open();
    const engine = new Engine(ops, environment);
    await run(engine, spec(tokens[0], streaming));
    const before = ops.memory().bytes;
    for (const [study, [length, method]] of between.entries()) {
      await run(engine, spec(tokens[length], method));
      await engine.row(study % 8, 0, 15);
    }
    await run(engine, spec(tokens[0], streaming));
    expect(ops.memory().bytes).toBe(before);
    ops.destroy();
  });
}

describe('an engine on the CPU', () => {
  replaces(
    () => createCpuOps(),
    [64, 48],
    [
      [0, esa],
      [1, streaming],
      [0, streaming],
      [1, esa],
    ],
  );

  test('refuses a study that does not fit before anything is read, and then runs one that does', async () => {
    const ops = createCpuOps({ memoryBytes: 24 * 2 ** 20 });
    const engine = new Engine(ops, environment);
    let sentence = '';
    const events: PostedEvent[] = [];
    const refused = engine.run({
      ...{ spec: spec(2000, esa), parts: ['probe', 'free'], full: null, onFull: () => {} },
      signal: new AbortController().signal,
      emit: (event) => events.push(event),
    });
    await refused.catch((error: unknown) => {
      expect(isUserError(error)).toBe(true);
      sentence = (error as Error).message;
    });
    expect(sentence).toMatch(
      /^2,000 tokens of this model need \d+ MiB and 24 MiB are allowed on this device/,
    );
    const most = Number(/at most ([\d,]+) tokens/.exec(sentence)?.[1]?.replace(',', ''));
    expect(most).toBeGreaterThan(100);
    expect(
      events.some(({ name, value }) => name === 'progress' && value.label.startsWith('full attention')),
    ).toBe(false);
    await run(engine, spec(most, esa));
    expect(ops.memory().peakBytes).toBeLessThanOrEqual(24 * 2 ** 20);
    ops.destroy();
  });

  test('lets go of one model where there is no room for two', async () => {
    const ops = createCpuOps({ memoryBytes: 24 * 2 ** 20 });
    const engine = new Engine(ops, environment);
    await run(engine, spec(64, streaming), ['probe']);
    await run(engine, { ...spec(64, streaming), model: 'the same again' }, ['probe']);
    expect(ops.memory().peakBytes).toBeLessThanOrEqual(24 * 2 ** 20);
    ops.destroy();
  });

  test('takes what was planned, to a fifth', async () => {
    const ops = createCpuOps();
    const engine = new Engine(ops, environment);
    for (const method of [esa, streaming, kvzip]) {
      await run(engine, spec(300, method));
      expectPlanned(ops, method, 300);
    }
    ops.destroy();
  });
});

/** What a study takes beside the weights, which short texts take nothing beside. */
function expectPlanned(ops: Ops, spec: MethodSpec, tokens: number): void {
  const config = asKept(ops, bundled);
  const method = methodById(spec.id);
  const parameters = resolveParameters(method, spec.parameters, { ...config, tokens });
  const plan = planMemory({
    ...{ limits: ops.memoryLimits, config, method, parameters, tokens, answerStart: null },
    ...{ parts: ['probe', 'free'], queriesStart: tokens - Math.ceil(tokens / 8) },
  });
  const { bytes: weights } = plan.phases.find(({ name }) => name === 'weights')!;
  const share = (ops.memory().peakBytes - weights) / (plan.peakBytes - weights);
  expect(share, spec.id).toBeGreaterThan(0.8);
  expect(share, spec.id).toBeLessThan(1.2);
}

describeWebGpu('an engine on WebGPU, with a device of default limits', () => {
  // One for both tests: compiling takes longer than they do.
  let device: GPUDevice;
  beforeAll(async () => {
    device = await (await requestTestAdapter()).requestDevice();
  });
  const open = async (): Promise<Ops> => {
    expect(device.limits.maxStorageBufferBindingSize).toBe(2 ** 27);
    expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
    return createWebGpuOps({ device });
  };
  replaces(open, [24, 20], [[1, esa]]);

  test('takes what was planned, to a fifth', async () => {
    const ops = await open();
    expect(ops.memoryLimits).toMatchObject({ budgetBytes: 2 ** 31, bufferBytes: 2 ** 27 });
    const engine = new Engine(ops, environment);
    await run(engine, spec(48, esa));
    expectPlanned(ops, esa, 48);
    ops.destroy();
  });
});
