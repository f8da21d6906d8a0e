/**
 * `npm run bench`: what this machine's GPU can do, and what the program reaches of it. `--only kernels,esa` runs some of the
 * sections, `--methods h2o,quest` some of the methods where a section measures methods, `--json FILE` also writes the figures to a
 * file. `--backend cpu` measures the CPU backend instead, with WebAssembly SIMD and without. Sections that need a page are
 * scripts/bench.mjs's.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import { createWebGpuOps } from '../gpu/webgpu';
import { openDevice } from '../gpu/webgpu/device';
import { measurePeak } from './peak';
import { measurementHeader, measurementLine, peakLine } from './report';
import type { Bench, Section } from './section';
import { chosenMethods, chosenSections } from './sections';
import type { Measurement } from './timing';

/** What `--json` writes for one backend. */
interface Results {
  readonly device: string;
  readonly date: string;
  readonly peak: { flopsPerSecond: number; bytesPerSecond: number } | null;
  readonly measurements: (Measurement & { section: string })[];
  readonly figures: Record<string, unknown>;
}

interface Chosen {
  readonly sections: readonly Section[];
  readonly methods: readonly string[] | undefined;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      backend: { type: 'string' },
      only: { type: 'string' },
      methods: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (values.backend !== undefined && values.backend !== 'cpu' && values.backend !== 'webgpu')
    throw new Error(`There is no backend "${values.backend}"; it is webgpu, or cpu to measure the CPU.`);
  const chosen = { sections: chosenSections(values.only), methods: chosenMethods(values.methods) };
  const results = values.backend === 'cpu' ? await measureCpu(chosen) : [await measureGpu(chosen)];
  if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
}

async function measureGpu(chosen: Chosen): Promise<Results> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // Browsers round timestamps to 0.1 ms; here nobody is to be protected from precise ones.
  const gpu = create(['disable-dawn-features=timestamp_quantization']);
  const { device } = await openDevice({ gpu, powerPreference: 'high-performance' });
  const ops = await createWebGpuOps({ device });
  console.log(ops.description);
  const peak = await measurePeak(device);
  console.log(peakLine(peak));
  return runSections(chosen, ops, { device, peak });
}

async function measureCpu(chosen: Chosen): Promise<Results[]> {
  const results: Results[] = [];
  for (const simd of [true, false]) {
    const ops = createCpuOps({ simd });
    console.log(ops.description);
    results.push(await runSections(chosen, ops));
    console.log();
  }
  return results;
}

async function runSections({ sections, methods }: Chosen, ops: Ops, gpu?: Bench['gpu']): Promise<Results> {
  const results: Results = {
    device: ops.description,
    date: new Date().toISOString(),
    peak: gpu?.peak ?? null,
    measurements: [],
    figures: {},
  };
  for (const section of sections) {
    if (section.needsGpu && !gpu) continue;
    console.log(`\n${section.title}`);
    let hasHeader = false;
    await section.run({
      ops,
      ...(gpu ? { gpu } : {}),
      ...(methods ? { methods } : {}),
      print: (line) => console.log(line),
      row(measurement) {
        if (!hasHeader) console.log(measurementHeader());
        hasHeader = true;
        results.measurements.push({ section: section.name, ...measurement });
        console.log(measurementLine(measurement, gpu?.peak));
      },
      figure(name, value) {
        results.figures[name] = value;
      },
    });
  }
  return results;
}

main().then(
  // Dawn keeps the process alive as long as a device is open.
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
