/** Kept for the next read: making one takes longer than a small read does. */
const POOL_BYTES = 2 ** 24;

/** Buffers that results are copied into to be read. */
export class Readbacks {
  readonly #device: GPUDevice;
  readonly #pool = new Map<number, GPUBuffer[]>();
  #pooledBytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of at least so many bytes that can be copied into and mapped. */
  take(bytes: number): GPUBuffer {
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
  giveBack(buffer: GPUBuffer): void {
    if (this.#pooledBytes + buffer.size > POOL_BYTES) {
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
  return bytes > POOL_BYTES / 4 ? bytes : 2 ** Math.ceil(Math.log2(Math.max(bytes, 1024)));
}
