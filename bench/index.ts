/**
 * `npm run bench`: what every kernel, and the bundled model, reach of what this machine's GPU can do. `--backend cpu`
 * measures the CPU backend instead, with WebAssembly SIMD and without.
 */
import { parseArgs } from 'node:util';
import { createCpuOps } from '../gpu/cpu';
import { createWebGpuOps } from '../gpu/webgpu';
import { openDevice } from '../gpu/webgpu/device';
import { measureKernels } from './kernels';
import { measureModel } from './model';
import { measurePeak } from './peak';
import { headerLine, measurementLine, peakLine } from './report';

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { backend: { type: 'string' } } });
  if (values.backend !== undefined && values.backend !== 'cpu' && values.backend !== 'webgpu')
    throw new Error(`There is no backend "${values.backend}"; it is webgpu, or cpu to measure the CPU.`);
  if (values.backend === 'cpu') return measureCpu();
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const { device } = await openDevice({ gpu: create([]), powerPreference: 'high-performance' });
  const ops = await createWebGpuOps({ device });
  console.log(ops.description);
  const peak = await measurePeak(device);
  console.log(peakLine(peak));
  console.log(`\n${headerLine()}`);
  for await (const measurement of measureKernels(ops)) console.log(measurementLine(measurement, peak));
  for await (const measurement of measureModel(ops)) console.log(measurementLine(measurement, peak));
}

async function measureCpu(): Promise<void> {
  for (const simd of [true, false]) {
    const ops = createCpuOps({ simd });
    console.log(`${ops.description}\n\n${headerLine()}`);
    for await (const measurement of measureKernels(ops)) console.log(measurementLine(measurement));
    for await (const measurement of measureModel(ops)) console.log(measurementLine(measurement));
    console.log();
  }
}

main().then(
  // Dawn keeps the process alive as long as a device is open.
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
