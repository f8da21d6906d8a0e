import type { MeasuredTime } from '../ops';

/** Timestamps of one submission, two per compute pass: room for every pass that its dispatches can need. */
const QUERIES = 4096;

interface Settle {
  resolve(times: Float64Array): void;
  reject(error: unknown): void;
}

/** The timed passes of one submission. */
class Batch {
  /** Number of its first pass, counted over all submissions. */
  readonly first: number;
  passes = 0;
  /** Nanoseconds of each pass, once it has run. */
  readonly nanoseconds: Promise<Float64Array>;
  readonly #settle: Settle;

  constructor(first: number) {
    this.first = first;
    let settle: Settle | undefined;
    this.nanoseconds = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Whoever waits for a span still gets the error.
    this.nanoseconds.catch(() => {});
    this.#settle = settle!;
  }

  /** Reads what `readable` will hold of it after submission. */
  async read(readable: GPUBuffer): Promise<void> {
    try {
      await readable.mapAsync(GPUMapMode.READ, 0, this.passes * 16);
      const times = new BigUint64Array(readable.getMappedRange(0, this.passes * 16));
      // Clocks may step back a little between passes.
      const spent = Float64Array.from({ length: this.passes }, (_, pass) =>
        Math.max(0, Number(times[2 * pass + 1]! - times[2 * pass]!)),
      );
      readable.unmap();
      this.#settle.resolve(spent);
    } catch (error) {
      this.#settle.reject(error);
    }
  }
}

/** A span of passes that is being measured, or was. */
export interface TimedSpan {
  readonly first: number;
  readonly batches: Batch[];
}

/**
 * Timestamps of compute passes, while at least one stopwatch runs. Each pass gets a pair, all pairs of a submission are read
 * at once; a span is the sum over its passes, so that time between submissions does not count.
 */
export class PassTimer {
  readonly #device: GPUDevice;
  readonly #querySet: GPUQuerySet | undefined;
  readonly #resolved: GPUBuffer | undefined;
  /** Buffers to read from that nothing uses. */
  readonly #readable: GPUBuffer[] = [];
  readonly #running = new Set<TimedSpan>();
  #passes = 0;
  #batch: Batch | undefined;
  #submitted: { readonly batch: Batch; readonly readable: GPUBuffer } | undefined;

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

  /** Whether another span should rather begin in a new submission, where there is room again. */
  get isCrowded(): boolean {
    return (this.#batch?.passes ?? 0) > QUERIES / 4;
  }

  /** Starts a span; its passes are those that begin from here on. */
  start(): TimedSpan {
    const span = { first: this.#passes, batches: this.#batch ? [this.#batch] : [] };
    this.#running.add(span);
    return span;
  }

  /** What the next pass should write, if anything listens. */
  nextPass(): GPUComputePassTimestampWrites | undefined {
    if (this.#running.size === 0 || !this.#querySet) return undefined;
    if (!this.#batch) {
      this.#batch = new Batch(this.#passes);
      for (const span of this.#running) span.batches.push(this.#batch);
    }
    const query = 2 * this.#batch.passes;
    this.#batch.passes += 1;
    this.#passes += 1;
    return {
      querySet: this.#querySet,
      beginningOfPassWriteIndex: query,
      endOfPassWriteIndex: query + 1,
    };
  }

  /** Encodes the copy of a submission's timestamps at its end. */
  resolve(encoder: GPUCommandEncoder): void {
    const batch = this.#batch;
    if (!batch || !this.#querySet || !this.#resolved) return;
    const readable =
      this.#readable.pop() ??
      this.#device.createBuffer({
        label: 'pass times',
        size: QUERIES * 8,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
    encoder.resolveQuerySet(this.#querySet, 0, 2 * batch.passes, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, readable, 0, 16 * batch.passes);
    this.#batch = undefined;
    this.#submitted = { batch, readable };
  }

  /** What `resolve` encoded was submitted. */
  submitted(): void {
    if (!this.#submitted) return;
    const { batch, readable } = this.#submitted;
    this.#submitted = undefined;
    void batch.read(readable).then(() => this.#readable.push(readable));
  }

  /** Ends a span. */
  stop(span: TimedSpan): { isSubmitted: boolean; time(): Promise<MeasuredTime> } {
    const last = this.#passes;
    this.#running.delete(span);
    return {
      isSubmitted: !this.#batch || !span.batches.includes(this.#batch),
      async time() {
        let nanoseconds = 0;
        for (const batch of span.batches) {
          const spent = await batch.nanoseconds;
          const end = Math.min(spent.length, last - batch.first);
          for (let pass = Math.max(0, span.first - batch.first); pass < end; pass++) {
            nanoseconds += spent[pass]!;
          }
        }
        return { milliseconds: nanoseconds / 1e6, clock: 'timestamp' };
      },
    };
  }

  destroy(): void {
    this.#querySet?.destroy();
    this.#resolved?.destroy();
    for (const readable of this.#readable.splice(0)) readable.destroy();
  }
}
