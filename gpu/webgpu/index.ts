/**
 * The operations in WGSL. Kernels are with their operation in `operations/`, parts that they share in `wgsl/parts/`; this folder
 * holds what carries them.
 */

import { floatsOfHalves } from '../halves';
import type { Arguments, Ops } from '../ops';
import { type DeviceBuffer, isHalf } from '../rows';
import { checkSpan } from '../validate';
import { StorageBuffer } from './buffers';
import { CommandEncoder } from './command-encoder';
import { type DeviceOptions, openDevice } from './device';
import * as operations from './operations';
import type { PipelineName } from './warm-up-list';

export type WebGpuOptions = DeviceOptions;

export interface WebGpuOps extends Ops {
  /** Kernels and constants that were used or warmed up so far. */
  pipelinesInUse(): PipelineName[];
}

/**
 * Opens a WebGPU device and gives the operations on it.
 *
 * @throws UserError if there is no WebGPU or no adapter
 */
export async function createWebGpuOps(options: WebGpuOptions = {}): Promise<WebGpuOps> {
  const opened = await openDevice(options);
  const encoder = new CommandEncoder(opened);
  return {
    backend: 'webgpu',
    description: opened.capabilities.description,
    isSoftware: opened.capabilities.isFallbackAdapter,
    // There, taking them apart takes more time than reading half as much saves.
    readsHalves: !opened.capabilities.isFallbackAdapter,
    warmUp: (stage) => encoder.warmUp.warmUp(stage),
    pipelinesInUse: () => encoder.pipelinesInUse(),
    allocate: (type, length, label) => encoder.allocate(type, length, label),
    scratch: (type, length, label) => encoder.scratch(type, length, label),
    upload: (data, label) => encoder.upload(data, label),
    uploadHalves: (type, bits, label) => encoder.uploadHalves(type, bits, label),
    write(buffer, offset, data) {
      checkSpan('write', 'buffer', buffer, data instanceof Float32Array ? 'f32' : 'u32', offset, data.length);
      encoder.write(own(buffer), offset, data);
    },
    async readFloats(buffer, offset = 0, length = rest(buffer, offset)) {
      const { type } = buffer;
      checkSpan('readFloats', 'buffer', buffer, isHalf(type) ? type : 'f32', offset, length);
      if (isHalf(type)) {
        const first = Math.floor(offset / 2);
        const words = await encoder.read(own(buffer), first, Math.ceil((offset + length) / 2) - first);
        return floatsOfHalves(type, new Uint16Array(words).subarray(offset % 2, (offset % 2) + length));
      }
      return new Float32Array(await encoder.read(own(buffer), offset, length));
    },
    async readIntegers(buffer, offset = 0, length = rest(buffer, offset)) {
      checkSpan('readIntegers', 'buffer', buffer, 'u32', offset, length);
      return new Uint32Array(await encoder.read(own(buffer), offset, length));
    },
    release(...buffers) {
      for (const buffer of buffers) if (buffer instanceof StorageBuffer) encoder.release(buffer);
    },
    memory: () => encoder.memory(),
    memoryLimits: encoder.memoryLimits,
    pace: () => encoder.pace(),
    stopwatch: () => encoder.stopwatch(),
    destroy: () => encoder.destroy(),
    ...kernelOps(encoder),
  };
}

function own(buffer: DeviceBuffer): StorageBuffer {
  if (!(buffer instanceof StorageBuffer))
    throw new TypeError(`${buffer.label} is no buffer of the WebGPU backend`);
  return buffer;
}

function rest(buffer: DeviceBuffer, offset: number): number {
  return Math.max(0, buffer.length - offset);
}

type KernelOps = { [Name in keyof typeof operations]: (a: Arguments<Name>) => void };

/** Every operation that is a kernel, bound to a encoder. */
function kernelOps(encoder: CommandEncoder): KernelOps {
  const bound = Object.entries(operations).map(([name, operation]) => [
    name,
    (a: never) => {
      operation(encoder, a);
      encoder.releaseTemporaries();
    },
  ]);
  return Object.fromEntries(bound);
}
