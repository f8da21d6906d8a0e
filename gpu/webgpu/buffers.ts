import { UserError } from '../../src/user-error';
import type { DeviceBuffer, ElementType } from '../rows';

const MEBIBYTE = 1024 * 1024;
/** Freed storage kept for reuse. */
const POOL_BYTES = 128 * MEBIBYTE;

/** A buffer of this backend. `storage` is undefined once it was released. */
export class StorageBuffer implements DeviceBuffer {
  readonly type: ElementType;
  readonly length: number;
  readonly label: string;
  storage: GPUBuffer | undefined;
  /** The submission that last used it. */
  lastUse = -1;

  constructor(type: ElementType, length: number, label: string, storage: GPUBuffer) {
    this.type = type;
    this.length = length;
    this.label = label;
    this.storage = storage;
  }
}

/** Hands out zeroed storage, keeps count of it, and keeps some of what is freed for the next request. */
export class Buffers {
  readonly #device: GPUDevice;
  readonly #maxBytes: number;
  readonly #pool = new Map<number, GPUBuffer[]>();
  #pooledBytes = 0;
  #bytes = 0;
  #peakBytes = 0;

  constructor(device: GPUDevice, maxBytes: number) {
    this.#device = device;
    this.#maxBytes = maxBytes;
  }

  /**
   * New storage; `reused` says that it still holds old contents, which the caller must clear or overwrite.
   *
   * @throws UserError if the device allows no buffer of this size
   */
  create(type: ElementType, length: number, label: string): { buffer: StorageBuffer; reused: boolean } {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`allocate: ${label} has a length of ${length}, not a whole number of elements`);
    }
    if (length * 4 > this.#maxBytes) {
      throw new UserError(
        `${label} needs a buffer of ${mebibytes(length * 4)} MiB, this GPU allows at most ${mebibytes(this.#maxBytes)} MiB ` +
          `(${Math.floor(this.#maxBytes / 4)} numbers); use a shorter text, a smaller model or the CPU backend.`,
      );
    }
    const bytes = Math.min(storageBytes(length), this.#maxBytes);
    const pooled = this.#pool.get(bytes)?.pop();
    if (pooled) this.#pooledBytes -= bytes;
    const storage =
      pooled ??
      this.#device.createBuffer({
        label,
        size: bytes,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      });
    this.#bytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
    return { buffer: new StorageBuffer(type, length, label, storage), reused: pooled !== undefined };
  }

  /** Takes storage back: into the pool, or to be destroyed by the caller once recorded work is submitted. */
  free(buffer: StorageBuffer): GPUBuffer | undefined {
    const { storage } = buffer;
    if (!storage) return undefined;
    buffer.storage = undefined;
    this.#bytes -= storage.size;
    if (this.#pooledBytes + storage.size > POOL_BYTES) return storage;
    const bucket = this.#pool.get(storage.size);
    if (bucket) bucket.push(storage);
    else this.#pool.set(storage.size, [storage]);
    this.#pooledBytes += storage.size;
    return undefined;
  }

  /** Bytes of the buffers in use; pooled storage is not counted. */
  memory(): { bytes: number; peakBytes: number } {
    return { bytes: this.#bytes, peakBytes: this.#peakBytes };
  }

  destroyPool(): void {
    for (const bucket of this.#pool.values()) for (const storage of bucket) storage.destroy();
    this.#pool.clear();
    this.#pooledBytes = 0;
  }
}

/** Sizes come in steps of an eighth of their power of two, at least 256 bytes, so that freed storage fits again. */
function storageBytes(length: number): number {
  const bytes = Math.max(length * 4, 16);
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(bytes < 10 * MEBIBYTE ? 1 : 0);
}
