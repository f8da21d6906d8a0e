/** The measurements on WebGPU against those on the CPU, one layer of the fixtures. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { matrixRows } from '../../gpu/rows';
import { createWebGpuOps } from '../../gpu/webgpu';
import { explainRow } from '../../src/measure/explain-row';
import { measureLayers } from '../../src/measure/measure-layers';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { importedMethod } from '../../src/methods/imported';
import { readImportedSelection } from '../../src/methods/imported/selection';
import { resolveParameters } from '../../src/methods/parameters';
import { readSafetensors } from '../../src/model/files/safetensors';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import type { Trace } from '../../src/trace/trace';
import { expectClose } from '../methods/agreement';
import { fixtureText, layerCount, shape } from '../methods/fixture';
import { describeWebGpu } from '../webgpu-node';

const queries = { start: 150, end: shape.tokens };
const HIDDEN = 48;
const specs: readonly [id: string, given: Record<string, unknown>][] = [
  ['full', {}],
  ['esa', { projection: 'exact', localTokens: 32, chunkTokens: 40, initTokens: 4, selectedTokens: 24 }],
  ['esa', { projection: 'closed-form', compressedDim: 8, localTokens: 32, chunkTokens: 40, initTokens: 4 }],
  ['lagkv', { lagTokens: 16, sinkTokens: 4 }],
  ['lagkv', { variant: 'kvpress', lagTokens: 16 }],
  ['lagkv', { lagTokens: 16, positions: 'cache' }],
  ['streaming-llm', {}],
  ['streaming-llm', { positions: 'cache' }],
  ['oracle', {}],
  ['random', { positions: 'cache' }],
];

describeWebGpu('measurements on WebGPU', (gpu) => {
  let cpu: Trace;
  let webgpu: Trace;
  /** With an output projection, which captures have none of. */
  const oneLayer = (text: Trace): Trace => {
    const channels = shape.queryHeads * shape.headDimension;
    const draws = Float32Array.from({ length: HIDDEN * channels }, (_, i) => Math.sin(7 * i + 1));
    const weight = matrixRows(text.ops.upload(draws, 'W_O'), HIDDEN, channels);
    return { ...text, layerTraces: text.layerTraces.slice(0, 1), outputWeight: () => weight };
  };
  beforeAll(async () => {
    cpu = oneLayer(fixtureText(createCpuOps({ simd: false })));
    webgpu = oneLayer(fixtureText(await createWebGpuOps({ device: gpu.device })));
  });
  afterAll(() => webgpu?.ops.destroy());

  const resolved = ([id, given]: (typeof specs)[number]) => ({
    method: methodById(id),
    parameters: resolveParameters(methodById(id), given, contextOf(cpu)),
    current: false,
  });

  it.each(specs)('%s %o: probe', async (...spec) => {
    const [[wanted], [found]] = await Promise.all([
      measureLayers({ text: cpu, ...resolved(spec), queries }),
      measureLayers({ text: webgpu, ...resolved(spec), queries }),
    ]);
    const numbers = (layer: typeof wanted): number[] =>
      [
        layer!.keptKeys,
        layer!.selectorRecall,
        layer!.tiedAtCut,
        layer!.outputErrorProjected,
        ...layer!.heads.flatMap((head) => [
          head.massRecall,
          head.ownMassRecall,
          head.outputError,
          head.outputErrorAsRun,
        ]),
      ].map((value) => value ?? -1);
    expectClose(numbers(found), numbers(wanted), 4);
    if (spec[0] !== 'full') expect(found!.outputErrorProjected).toBeGreaterThan(1e-3);
    // Two keys with almost the same attention may swap places.
    expect(found!.topkRecall ?? -1).toBeCloseTo(wanted!.topkRecall ?? -1, 2);
  });

  it('kept keys of a file, sets of different lengths: probe', async () => {
    const lists = [0, 1].map((set) =>
      Array.from({ length: 60 }, (_, i) => (set === 0 ? 2 * i : i < 40 ? 3 * i + 1 : -1)),
    );
    const tensor = { dtype: 'I32', shape: [2, 60], data: Int32Array.from(lists.flat()) } as const;
    const layers = Array.from({ length: layerCount }, (_, layer) => [`kept.${layer}`, tensor]);
    const file = writeSafetensors(Object.fromEntries(layers), { evicted_after: '140' });
    const method = importedMethod(
      readImportedSelection(readSafetensors(file), 'kept.safetensors'),
      contextOf(cpu),
    );
    const parameters = resolveParameters(method, {}, contextOf(cpu));
    const [[wanted], [found]] = await Promise.all([
      measureLayers({ text: cpu, method, parameters, queries }),
      measureLayers({ text: webgpu, method, parameters, queries }),
    ]);
    const numbers = ({ heads }: NonNullable<typeof wanted>): number[] =>
      heads.flatMap(({ massRecall, outputError }) => [massRecall!, outputError!]);
    expectClose(numbers(found!), numbers(wanted!), 4);
    expect(found!.keptKeys).toBe(wanted!.keptKeys);
    expect(Math.max(...numbers(wanted!))).toBeLessThan(1);
  });

  it('sweep', async () => {
    const request = { methods: specs.slice(1).map(resolved), fractions: [0.2, 0.4, 0.8], queries };
    const [wanted, found] = [
      await sweep({ text: cpu, ...request }),
      await sweep({ text: webgpu, ...request }),
    ];
    const numbers = (curves: typeof wanted): number[] =>
      curves.flatMap(({ points }) =>
        points.flatMap(({ kept, massRecall }) => [kept ?? -1, massRecall ?? -1]),
      );
    expectClose(numbers(found), numbers(wanted), 4);
  });

  it('a query row', async () => {
    const request = { ...resolved(specs[1]!), layer: 0, head: 1, query: 170, evictAt: queries.start };
    const [wanted, found] = await Promise.all([
      explainRow({ text: cpu, ...request }),
      explainRow({ text: webgpu, ...request }),
    ]);
    expectClose(found.weights, wanted.weights, 5);
    expect(found.fates).toEqual(wanted.fates);
    expect(found.rule).toEqual(wanted.rule);
  });
});
