/** Arithmetic and memory traffic of a dispatch, estimated by its formula. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

/** A submission should run about this long: short enough to cancel, to paint, and for every watchdog. */
const SUBMISSION_MS = 50;
/** Submissions that may wait on the GPU before the recording side does. */
const MAX_IN_FLIGHT = 2;
/** The longest that recorded work waits for a submission, and that other messages wait for this thread. */
export const MAX_WAIT_MS = 30;
/** A dispatch on nothing still costs this much. */
const DISPATCH_MS = 0.002;

/** Speeds assumed until the first submission was timed: a software rasteriser's, and a small GPU's. */
const SLOW = { flopsPerMs: 0.5e6, bytesPerMs: 1e6 };
const FAST = { flopsPerMs: 20e6, bytesPerMs: 10e6 };

/**
 * Decides how much work goes into one submission and how many submissions may be under way. Work is estimated in
 * milliseconds; the estimate is corrected by how long earlier submissions took.
 */
export class Pacer {
  readonly #speed: { flopsPerMs: number; bytesPerMs: number };
  readonly #inFlight: Promise<void>[] = [];
  #correction = 1;
  #recordedMs = 0;
  #lastCompletion = 0;
  #lastYield = performance.now();
  #lastSubmission = performance.now();

  constructor(isFallbackAdapter: boolean) {
    this.#speed = isFallbackAdapter ? SLOW : FAST;
  }

  estimateMs(work: Work): number {
    const { flopsPerMs, bytesPerMs } = this.#speed;
    return DISPATCH_MS + this.#correction * Math.max(work.flops / flopsPerMs, work.bytes / bytesPerMs);
  }

  /** Into how many dispatches work should be cut so that none is longer than a submission should be. */
  partsFor(work: Work): number {
    return Math.ceil(this.estimateMs(work) / SUBMISSION_MS);
  }

  record(work: Work): void {
    this.#recordedMs += this.estimateMs(work);
  }

  get isFull(): boolean {
    return this.#recordedMs >= SUBMISSION_MS;
  }

  get isStale(): boolean {
    return performance.now() - this.#lastSubmission > MAX_WAIT_MS;
  }

  /** Notes a submission of everything recorded; `done` resolves once it has run. */
  submitted(done: Promise<void>): void {
    const estimatedMs = this.#recordedMs;
    const start = performance.now();
    this.#recordedMs = 0;
    this.#lastSubmission = start;
    const settled = done.then(
      () => {
        const now = performance.now();
        this.#correct(estimatedMs, now - Math.max(start, this.#lastCompletion));
        this.#lastCompletion = now;
        this.#inFlight.splice(this.#inFlight.indexOf(settled), 1);
      },
      () => {
        this.#inFlight.splice(this.#inFlight.indexOf(settled), 1);
      },
    );
    this.#inFlight.push(settled);
  }

  /** Waits while too much is under way; lets other messages in at least every 30 ms. */
  async wait(): Promise<void> {
    while (this.#inFlight.length > MAX_IN_FLIGHT) {
      await this.#inFlight[0];
      this.#lastYield = performance.now();
    }
    if (performance.now() - this.#lastYield > MAX_WAIT_MS) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#lastYield = performance.now();
    }
  }

  /** Submissions of a millisecond or less measure overheads, not speed. */
  #correct(estimatedMs: number, measuredMs: number): void {
    if (estimatedMs < 1 || (estimatedMs < 5 && measuredMs < 5)) return;
    const ratio = Math.min(4, Math.max(1 / 4, measuredMs / estimatedMs));
    this.#correction *= ratio;
  }
}
