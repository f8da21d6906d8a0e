import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import type { DeviceBuffer } from '../gpu/rows';
import { kernelCases } from './cases';
import type { KernelCase, Sizes } from './cases/case';
import { checkOutput } from './check';
import type { Section } from './section';
import { timeRepeated } from './timing';

/** Small enough for the CPU, and odd, so that every kernel meets its edges. */
const CHECKED: Sizes = { rows: 67, keys: 144, heads: 6, groups: 2, channels: 20, width: 66 };
const SOFTWARE: Sizes = { rows: 128, keys: 256, heads: 6, groups: 2, channels: 32, width: 192 };
/** The bundled model in the middle of reading 1,024 tokens. */
const CPU: Sizes = { rows: 128, keys: 1024, heads: 6, groups: 2, channels: 32, width: 192 };
const HARDWARE: Sizes = { rows: 1024, keys: 4096, heads: 16, groups: 4, channels: 64, width: 1024 };

/** What the CPU backend computes with WebAssembly SIMD, where it is there. */
const CPU_KERNELS = new Set([
  'matmul',
  'attention',
  'esaImportance',
  'attentionProbabilities',
  'attentionTiles',
]);

/** Checks every kernel against the CPU's reference, then measures one after the other; on the CPU only the largest. */
export const kernels: Section = {
  name: 'kernels',
  title: 'Every kernel',
  needsGpu: false,
  async run({ ops, row }) {
    const sizes = ops.backend === 'cpu' ? CPU : ops.isSoftware ? SOFTWARE : HARDWARE;
    const cases = kernelCases.filter(({ name }) => ops.backend !== 'cpu' || CPU_KERNELS.has(name));
    // All are checked first: a GPU that waits for the reference slows down.
    for (const kernelCase of cases) await checkKernel(ops, kernelCase);
    for (const { name, prepare } of cases) {
      const { size, flops, bytes, encode } = prepare(ops, sizes);
      const milliseconds = await timeRepeated(() => ops.stopwatch(), encode);
      row({ name, size, milliseconds, flops, bytes });
    }
  },
};

/** @throws if the kernel's output is not the reference's */
async function checkKernel(ops: Ops, { name, tolerance, prepare }: KernelCase): Promise<void> {
  const cpu = createCpuOps({ simd: false });
  const [actual, expected] = await Promise.all(
    [ops, cpu].map(async (backend) => {
      const { out, encode } = prepare(backend, CHECKED);
      encode();
      return read(backend, out);
    }),
  );
  cpu.destroy();
  checkOutput(name, actual!, expected!, tolerance);
}

function read(ops: Ops, buffer: DeviceBuffer): Promise<Float32Array | Uint32Array> {
  return buffer.type === 'f32' ? ops.readFloats(buffer) : ops.readIntegers(buffer);
}
