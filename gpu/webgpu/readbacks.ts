import type { Storage } from './buffers';
import type { Commands } from './commands';

/** Kept for the next read: making one takes longer than a small read does. */
const POOL_BYTES = 2 ** 24;
/** Most that is read together, and that is kept of one size: what is longer is read alone, into a buffer that goes with it. */
const MOST_TOGETHER_BYTES = POOL_BYTES / 4;

/** A part of storage that is to be copied out. */
interface Reading {
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
  readonly resolve: (data: ArrayBuffer) => void;
  readonly reject: (error: unknown) => void;
}

/** Readings that are copied into one buffer, one after the other, and mapped together. */
interface Copied {
  readonly readings: readonly Reading[];
  readonly buffer: GPUBuffer;
  readonly bytes: number;
}

/**
 * Results being read back. What is asked for is copied at the end of the submission, or before something overwrites it: a
 * copy ends a compute pass, and mapping a buffer takes longer than a small read does.
 */
export class Readbacks {
  readonly #device: GPUDevice;
  readonly #commands: Commands;
  readonly #pool = new Map<number, GPUBuffer[]>();
  #pooledBytes = 0;
  #asked: Reading[] = [];
  #copied: Copied[] = [];

  constructor(device: GPUDevice, commands: Commands) {
    this.#device = device;
    this.#commands = commands;
  }

  /** Bytes [offset, offset + bytes) of storage as all work encoded so far leaves them. Rejects with what mapping fails with. */
  ask(storage: Storage, offset: number, bytes: number): Promise<ArrayBuffer> {
    storage.isAsked = true;
    return new Promise((resolve, reject) => {
      this.#asked.push({ storage, offset, bytes, resolve, reject });
    });
  }

  /** To be called before anything is encoded that overwrites storage asked for, and before every submission. */
  copyAsked(): void {
    if (this.#asked.length === 0) return;
    const asked = this.#asked;
    this.#asked = [];
    for (const { storage } of asked) storage.isAsked = false;
    for (let from = 0, to: number; from < asked.length; from = to) {
      let { bytes } = asked[from]!;
      for (to = from + 1; to < asked.length && bytes + asked[to]!.bytes <= MOST_TOGETHER_BYTES; to++) {
        bytes += asked[to]!.bytes;
      }
      this.#copy(asked.slice(from, to), bytes);
    }
  }

  #copy(readings: readonly Reading[], bytes: number): void {
    try {
      const buffer = this.#take(bytes);
      this.#copied.push({ readings, buffer, bytes });
      let at = 0;
      for (const reading of readings) {
        this.#commands.copy(reading.storage.memory, reading.offset, buffer, at, reading.bytes);
        at += reading.bytes;
      }
    } catch (error) {
      for (const { reject } of readings) reject(error);
    }
  }

  /** To be called after every submission. */
  submitted(): void {
    for (const copied of this.#copied.splice(0)) this.#map(copied);
  }

  async #map({ readings, buffer, bytes }: Copied): Promise<void> {
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, bytes);
      const data = buffer.getMappedRange(0, bytes);
      let at = 0;
      for (const reading of readings) {
        reading.resolve(data.slice(at, at + reading.bytes));
        at += reading.bytes;
      }
      buffer.unmap();
      this.#giveBack(buffer);
    } catch (error) {
      buffer.destroy();
      for (const { reject } of readings) reject(error);
    }
  }

  /** A buffer of at least so many bytes that can be copied into and mapped. */
  #take(bytes: number): GPUBuffer {
    const size = sizeFor(bytes);
    const pooled = this.#pool.get(size)?.pop();
    if (pooled) {
      this.#pooledBytes -= size;
      return pooled;
    }
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.#device.createBuffer({ label: 'results', size, usage });
  }

  /** Takes back what is no longer mapped. */
  #giveBack(buffer: GPUBuffer): void {
    if (buffer.size > MOST_TOGETHER_BYTES || this.#pooledBytes + buffer.size > POOL_BYTES) {
      buffer.destroy();
      return;
    }
    const bucket = this.#pool.get(buffer.size);
    if (bucket) bucket.push(buffer);
    else this.#pool.set(buffer.size, [buffer]);
    this.#pooledBytes += buffer.size;
  }

  destroy(): void {
    for (const bucket of this.#pool.values()) for (const buffer of bucket) buffer.destroy();
    this.#pool.clear();
    this.#pooledBytes = 0;
  }
}

/** Powers of two, so that reads of about the same length share; what would not be kept is no larger than it must be. */
function sizeFor(bytes: number): number {
  return bytes > MOST_TOGETHER_BYTES ? bytes : 2 ** Math.ceil(Math.log2(Math.max(bytes, 1024)));
}
