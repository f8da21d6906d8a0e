/**
 * The operations in plain TypeScript: reference of every kernel, and what runs where there is no WebGPU. There, matrix
 * products, attention and its weights, and scores for selection, which take most of the time, run on WebAssembly SIMD.
 */
import type { MeasuredTime, Ops } from '../ops';
import * as operations from './operations';
import { createPace } from './pace';
import { createSimdKernels } from './simd/instance';
import { simdOperations } from './simd/operations';
import { createStorage } from './storage';

export interface CpuOptions {
  /** Time after which `pace` lets other messages in; 25 by default. */
  readonly yieldAfterMilliseconds?: number;
  /** False for the reference: plain TypeScript, sums in double precision. True by default. */
  readonly simd?: boolean;
  /** What all buffers together may take; at most 4 GiB by default. */
  readonly memoryBytes?: number;
}

/**
 * Every operation runs at once, on the calling thread. Sums are in double precision, but those of matmul, attention and
 * its weights in single precision where WebAssembly SIMD is here and wanted.
 */
export function createCpuOps(options: CpuOptions = {}): Ops {
  const storage = createStorage(options.memoryBytes);
  const { pace, close } = createPace(options.yieldAfterMilliseconds ?? 25);
  const kernels = options.simd === false ? undefined : createSimdKernels();
  return {
    backend: 'cpu',
    description: kernels ? 'CPU, WebAssembly SIMD' : 'CPU, plain TypeScript',
    isSoftware: false,
    readsHalves: false,
    async warmUp() {},
    ...storage,
    pace,
    stopwatch() {
      const start = performance.now();
      return {
        async stop(): Promise<MeasuredTime> {
          return { milliseconds: performance.now() - start, clock: 'wall' };
        },
      };
    },
    destroy() {
      storage.destroy();
      close();
    },
    ...operations,
    ...(kernels && simdOperations(kernels)),
  };
}
