/** `npm run bench`: what every kernel reaches of what this machine's GPU can do. */
import { createWebGpuOps } from '../gpu/webgpu';
import { openDevice } from '../gpu/webgpu/device';
import { measureKernels } from './kernels';
import { measurePeak } from './peak';
import { headerLine, measurementLine, peakLine } from './report';

async function main(): Promise<void> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const { device } = await openDevice({ gpu: create([]), powerPreference: 'high-performance' });
  const ops = await createWebGpuOps({ device });
  console.log(ops.description);
  const peak = await measurePeak(device);
  console.log(peakLine(peak));
  console.log(`\n${headerLine()}`);
  for await (const measurement of measureKernels(ops)) console.log(measurementLine(measurement, peak));
}

main().then(
  // Dawn keeps the process alive as long as a device is open.
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
