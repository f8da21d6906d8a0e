/** Allocation, transfer and accounting of CPU buffers. */

import { floatsOfHalves } from '../halves';
import { noRoom } from '../memory';
import type { MemoryLimits, Ops } from '../ops';
import { type DeviceBuffer, isHalf, wordsOf } from '../rows';
import { checkSpan } from '../validate';
import { arrayOf, CpuBuffer, dataOf, floatsOf, integersOf } from './buffer';

type Storage = Pick<
  Ops,
  | 'allocate'
  | 'scratch'
  | 'upload'
  | 'uploadHalves'
  | 'write'
  | 'readFloats'
  | 'readIntegers'
  | 'release'
  | 'memory'
  | 'memoryLimits'
  | 'destroy'
>;

const BYTES_PER_WORD = 4;

/** Half of the machine's memory where a browser tells it, in GiB and never above 8; otherwise 4 GiB. */
function defaultMemoryBytes(): number {
  const { deviceMemory = 8 } = (globalThis.navigator ?? {}) as { deviceMemory?: number };
  return Math.min(8, deviceMemory) * 2 ** 29;
}

/** What buffers of this backend may take: exactly their elements. */
export function cpuMemoryLimits(budgetBytes = defaultMemoryBytes()): MemoryLimits {
  return {
    budgetBytes,
    bufferBytes: budgetBytes,
    temporaryRows: 0,
    numbersAtOnce: 2 ** 19,
    storageBytes: (words) => words * BYTES_PER_WORD,
  };
}

/** `memoryBytes`: what all buffers together may take. */
export function createStorage(memoryBytes?: number): Storage {
  const memoryLimits = cpuMemoryLimits(memoryBytes);
  const held = new Set<CpuBuffer>();
  let bytes = 0;
  let peakBytes = 0;

  const allocate: Ops['allocate'] = (type, length, label) => {
    const needed = memoryLimits.storageBytes(wordsOf(type, length));
    if (bytes + needed > memoryLimits.budgetBytes)
      throw noRoom(label, needed, bytes, memoryLimits.budgetBytes, 'memory');
    const buffer = new CpuBuffer(type, length, label);
    held.add(buffer);
    bytes += needed;
    peakBytes = Math.max(peakBytes, bytes);
    return buffer;
  };

  const write: Ops['write'] = (buffer, offset, data) => {
    checkSpan('write', 'buffer', buffer, data instanceof Float32Array ? 'f32' : 'u32', offset, data.length);
    dataOf(buffer).set(data, offset);
  };

  const release: Ops['release'] = (...buffers) => {
    for (const buffer of buffers) {
      if (!(buffer instanceof CpuBuffer) || !held.delete(buffer)) continue;
      buffer.data = undefined;
      bytes -= memoryLimits.storageBytes(wordsOf(buffer.type, buffer.length));
    }
  };

  return {
    allocate,
    scratch: allocate,
    write,
    release,
    upload(data, label) {
      const buffer = allocate(data instanceof Float32Array ? 'f32' : 'u32', data.length, label);
      dataOf(buffer).set(data);
      return buffer;
    },
    uploadHalves(type, bits, label) {
      const buffer = allocate(type, bits.length, label);
      arrayOf(buffer).set(bits);
      return buffer;
    },
    // Asynchronous so that a wrong argument rejects, as it does where reading takes time.
    async readFloats(buffer, offset = 0, length = rest(buffer, offset)) {
      const { type } = buffer;
      checkSpan('readFloats', 'buffer', buffer, isHalf(type) ? type : 'f32', offset, length);
      if (isHalf(type)) {
        return floatsOfHalves(type, (arrayOf(buffer) as Uint16Array).subarray(offset, offset + length));
      }
      return floatsOf(buffer).slice(offset, offset + length);
    },
    async readIntegers(buffer, offset = 0, length = rest(buffer, offset)) {
      checkSpan('readIntegers', 'buffer', buffer, 'u32', offset, length);
      return integersOf(buffer).slice(offset, offset + length);
    },
    memory: () => ({ bytes, peakBytes }),
    memoryLimits,
    destroy: () => release(...held),
  };
}

function rest(buffer: DeviceBuffer, offset: number): number {
  return Math.max(0, buffer.length - offset);
}
