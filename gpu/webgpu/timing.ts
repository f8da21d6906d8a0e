import type { MeasuredTime } from '../ops';

/** Timestamps that fit a query set; two per compute pass. */
const QUERIES = 4096;

/**
 * Timestamps of compute passes, while at least one stopwatch runs. Each pass gets a pair; a span is the sum over its
 * passes, so that time between submissions does not count.
 */
export class PassTimer {
  readonly #device: GPUDevice;
  readonly #querySet: GPUQuerySet | undefined;
  readonly #resolved: GPUBuffer | undefined;
  #running = 0;
  #used = 0;

  constructor(device: GPUDevice, timestampQuery: boolean) {
    this.#device = device;
    if (!timestampQuery) return;
    this.#querySet = device.createQuerySet({ label: 'pass times', type: 'timestamp', count: QUERIES });
    this.#resolved = device.createBuffer({
      label: 'pass times',
      size: QUERIES * 8,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  get isAvailable(): boolean {
    return this.#querySet !== undefined;
  }

  /** Whether a span should rather start in a new submission, where there is room again. */
  get isCrowded(): boolean {
    return this.#running === 0 && this.#used > QUERIES / 2;
  }

  /** Starts a span; its passes are those that begin from here on. */
  start(): number {
    this.#running += 1;
    return this.#used;
  }

  /** Everything recorded was submitted: timestamps that no running span needs may be overwritten. */
  submitted(): void {
    if (this.#running === 0) this.#used = 0;
  }

  /** What the next pass should write, if anything listens and there is room. */
  nextPass(): GPUComputePassTimestampWrites | undefined {
    if (this.#running === 0 || !this.#querySet) return undefined;
    this.#used += 2;
    if (this.#used > QUERIES) return undefined;
    return {
      querySet: this.#querySet,
      beginningOfPassWriteIndex: this.#used - 2,
      endOfPassWriteIndex: this.#used - 1,
    };
  }

  /**
   * Ends the span that began at `first`, recording the copy of its timestamps. The function returned reads them after
   * submission; it gives undefined where the span had more passes than fit.
   */
  stop(first: number, encoder: GPUCommandEncoder): () => Promise<MeasuredTime | undefined> {
    const last = this.#used;
    this.#running -= 1;
    if (!this.#querySet || !this.#resolved || last > QUERIES) return async () => undefined;
    if (last === first) return async () => ({ milliseconds: 0, clock: 'timestamp' });
    const bytes = (last - first) * 8;
    const readable = this.#device.createBuffer({
      label: 'pass times',
      size: bytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.resolveQuerySet(this.#querySet, first, last - first, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, readable, 0, bytes);
    return async () => {
      await readable.mapAsync(GPUMapMode.READ);
      const times = new BigUint64Array(readable.getMappedRange());
      let nanoseconds = 0n;
      for (let pass = 0; pass < times.length; pass += 2) {
        // Clocks may step back a little between passes.
        if (times[pass + 1] > times[pass]) nanoseconds += times[pass + 1] - times[pass];
      }
      readable.destroy();
      return { milliseconds: Number(nanoseconds) / 1e6, clock: 'timestamp' };
    };
  }

  destroy(): void {
    this.#querySet?.destroy();
    this.#resolved?.destroy();
  }
}
