/** Allocation, transfer and accounting of CPU buffers. */
import type { Ops } from '../ops';
import type { DeviceBuffer } from '../rows';
import { checkSpan } from '../validate';
import { CpuBuffer, dataOf, floatsOf, integersOf } from './buffer';

type Storage = Pick<
  Ops,
  'allocate' | 'upload' | 'write' | 'readFloats' | 'readIntegers' | 'release' | 'memory' | 'destroy'
>;

const BYTES_PER_ELEMENT = 4;

export function createStorage(): Storage {
  const held = new Set<CpuBuffer>();
  let bytes = 0;
  let peakBytes = 0;

  const allocate: Ops['allocate'] = (type, length, label) => {
    const buffer = new CpuBuffer(type, length, label);
    held.add(buffer);
    bytes += length * BYTES_PER_ELEMENT;
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
      bytes -= buffer.length * BYTES_PER_ELEMENT;
    }
  };

  return {
    allocate,
    write,
    release,
    upload(data, label) {
      const buffer = allocate(data instanceof Float32Array ? 'f32' : 'u32', data.length, label);
      dataOf(buffer).set(data);
      return buffer;
    },
    // Asynchronous so that a wrong argument rejects, as it does where reading takes time.
    async readFloats(buffer, offset = 0, length = rest(buffer, offset)) {
      checkSpan('readFloats', 'buffer', buffer, 'f32', offset, length);
      return floatsOf(buffer).slice(offset, offset + length);
    },
    async readIntegers(buffer, offset = 0, length = rest(buffer, offset)) {
      checkSpan('readIntegers', 'buffer', buffer, 'u32', offset, length);
      return integersOf(buffer).slice(offset, offset + length);
    },
    memory: () => ({ bytes, peakBytes }),
    destroy: () => release(...held),
  };
}

function rest(buffer: DeviceBuffer, offset: number): number {
  return Math.max(0, buffer.length - offset);
}
