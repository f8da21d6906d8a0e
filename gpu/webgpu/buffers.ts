import { UserError } from '../../src/base/user-error';
import { mebibytes, noRoom } from '../memory';
import type { MemoryLimits } from '../ops';
import { type DeviceBuffer, type ElementType, wordsOf } from '../rows';

/** Freed storage kept for reuse, at least: where there is much memory, a sixteenth, as large buffers take milliseconds to make. */
const LEAST_POOL_BYTES = 2 ** 27;
const POOL_SHARE = 1 / 16;

/** Memory of the device, which one buffer after the other may have. */
export interface Storage {
  readonly memory: GPUBuffer;
  readonly bytes: number;
  /** Tells it from all other storage, also from what is gone. */
  readonly number: number;
  /** The submission that last used it. */
  lastUse: number;
  /** A part of it is to be copied out and not yet is: see Readbacks. */
  isAsked: boolean;
}

/** A buffer of this backend. `storage` is undefined once it was released. */
export class StorageBuffer implements DeviceBuffer {
  readonly type: ElementType;
  readonly length: number;
  readonly label: string;
  storage: Storage | undefined;

  constructor(type: ElementType, length: number, label: string, storage: Storage) {
    this.type = type;
    this.length = length;
    this.label = label;
    this.storage = storage;
  }
}

export interface NewStorage {
  readonly buffer: StorageBuffer;
  /** It still holds old contents, which the caller must clear or overwrite. */
  readonly reused: boolean;
}

/** Hands out zeroed storage within a budget, keeps count of it, and keeps some of what is freed for the next request. */
export class Buffers {
  readonly limits: MemoryLimits;
  readonly #device: GPUDevice;
  readonly #pool = new Map<number, Storage[]>();
  readonly #mostPooledBytes: number;
  #made = 0;
  #pooledBytes = 0;
  /** No longer wanted, but encoded work may still use it. */
  readonly #condemned: Storage[] = [];
  #condemnedBytes = 0;
  #bytes = 0;
  #peakBytes = 0;

  constructor(device: GPUDevice, limits: Omit<MemoryLimits, 'storageBytes'>) {
    this.#device = device;
    this.limits = webGpuMemoryLimits(limits);
    this.#mostPooledBytes = Math.max(LEAST_POOL_BYTES, POOL_SHARE * limits.budgetBytes);
  }

  /**
   * New storage, of what was freed rather none that `isInTheWay`: as long as the pool may grow, more is made instead.
   *
   * @throws UserError if the device allows no buffer of this size, or the budget has no room for it
   */
  create(
    type: ElementType,
    length: number,
    label: string,
    isInTheWay: (storage: Storage) => boolean,
  ): NewStorage {
    const bytes = this.#bytesOf(wordsOf(type, length), label);
    const pooled = this.#takePooled(bytes, isInTheWay);
    if (!pooled) this.#makeRoom(bytes, label);
    const storage = pooled ?? this.#make(bytes, label);
    this.#count(bytes);
    return { buffer: new StorageBuffer(type, length, label, storage), reused: pooled !== undefined };
  }

  #takePooled(bytes: number, isInTheWay: (storage: Storage) => boolean): Storage | undefined {
    const bucket = this.#pool.get(bytes);
    if (!bucket || bucket.length === 0) return undefined;
    let place = bucket.length - 1;
    while (place >= 0 && isInTheWay(bucket[place]!)) place--;
    if (place < 0) {
      const held = this.#bytes + this.#pooledBytes + this.#condemnedBytes;
      const mayGrow =
        this.#pooledBytes + bytes <= this.#mostPooledBytes && held + bytes <= this.limits.budgetBytes;
      if (mayGrow) return undefined;
      place = bucket.length - 1;
    }
    this.#pooledBytes -= bytes;
    return bucket.splice(place, 1)[0];
  }

  #make(bytes: number, label: string): Storage {
    const memory = this.#device.createBuffer({
      label,
      size: bytes,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#made += 1;
    return { memory, bytes, number: this.#made, lastUse: -1, isAsked: false };
  }

  /**
   * Whether `create` would stay within the budget only once condemned storage is destroyed, for which encoded work has to be
   * submitted first.
   *
   * @throws UserError as `create` does
   */
  mustSubmitBefore(type: ElementType, length: number, label: string): boolean {
    const bytes = this.#bytesOf(wordsOf(type, length), label);
    if (this.#pool.get(bytes)?.length) return false;
    this.#makeRoom(bytes, label);
    return this.#condemnedBytes > 0 && this.#bytes + this.#condemnedBytes + bytes > this.limits.budgetBytes;
  }

  /**
   * Counts storage that is made elsewhere, such as a buffer to read from, until `giveBack`.
   *
   * @throws UserError if the budget has no room for it
   */
  reserve(bytes: number, label: string): void {
    this.#makeRoom(bytes, label);
    this.#count(bytes);
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Takes storage back, into the pool or to be destroyed. */
  free(buffer: StorageBuffer): void {
    const { storage } = buffer;
    if (!storage) return;
    buffer.storage = undefined;
    this.#bytes -= storage.bytes;
    if (this.#pooledBytes + storage.bytes > this.#mostPooledBytes) {
      this.#condemn(storage);
      return;
    }
    const bucket = this.#pool.get(storage.bytes);
    if (bucket) bucket.push(storage);
    else this.#pool.set(storage.bytes, [storage]);
    this.#pooledBytes += storage.bytes;
  }

  /** To be called when everything encoded is submitted. */
  destroyCondemned(): void {
    if (this.#condemned.length === 0) return;
    for (const { memory } of this.#condemned.splice(0)) memory.destroy();
    this.#condemnedBytes = 0;
  }

  /** Bytes of the buffers in use; pooled storage is not counted, as it makes room for whatever needs it. */
  memory(): { bytes: number; peakBytes: number } {
    return { bytes: this.#bytes, peakBytes: this.#peakBytes };
  }

  destroyPool(): void {
    this.#evict(this.#pooledBytes);
    this.destroyCondemned();
  }

  #bytesOf(words: number, label: string): number {
    if (!Number.isSafeInteger(words) || words < 0) {
      throw new RangeError(`allocate: ${label} has a length of ${words} words, not a whole number`);
    }
    const { bufferBytes } = this.limits;
    if (words * 4 > bufferBytes) {
      throw new UserError(
        `${label} needs a buffer of ${mebibytes(words * 4)} MiB, this GPU allows at most ${mebibytes(bufferBytes)} MiB ` +
          `(${Math.floor(bufferBytes / 4)} numbers); use a shorter text, a smaller model or the CPU backend.`,
      );
    }
    return this.limits.storageBytes(words);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
  }

  /** Evicts as much of the pool as `bytes` more need. */
  #makeRoom(bytes: number, label: string): void {
    const { budgetBytes } = this.limits;
    const fitting = budgetBytes - this.#bytes;
    if (bytes > fitting) throw noRoom(label, bytes, this.#bytes, budgetBytes, 'GPU memory');
    this.#evict(bytes + this.#pooledBytes - fitting);
  }

  /** Takes at least so many bytes out of the pool, largest first. */
  #evict(bytes: number): void {
    if (bytes <= 0) return;
    let missing = bytes;
    for (const size of [...this.#pool.keys()].sort((a, b) => b - a)) {
      const bucket = this.#pool.get(size)!;
      while (missing > 0 && bucket.length > 0) {
        this.#condemn(bucket.pop()!);
        missing -= size;
        this.#pooledBytes -= size;
      }
      if (bucket.length === 0) this.#pool.delete(size);
    }
  }

  #condemn(storage: Storage): void {
    this.#condemned.push(storage);
    this.#condemnedBytes += storage.bytes;
  }
}

/**
 * What buffers of this backend may take. Sizes come in steps of an eighth of their power of two, at least 256 bytes, so that
 * freed storage fits again.
 */
export function webGpuMemoryLimits(limits: Omit<MemoryLimits, 'storageBytes'>): MemoryLimits {
  return {
    ...limits,
    storageBytes(words) {
      const bytes = Math.max(words * 4, 16);
      const step = Math.max(256, 2 ** (Math.floor(Math.log2(bytes)) - 3));
      return Math.min(Math.ceil(bytes / step) * step, limits.bufferBytes);
    },
  };
}
