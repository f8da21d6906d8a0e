import { createTurns } from '../turn';

/** Arithmetic and memory traffic of a dispatch, estimated by its formula. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

/** A submission should run about this long: short enough to cancel, to paint, and for every watchdog. */
const SUBMISSION_MS = 50;
/** Submitted work that may wait on the device before the encoding side does: by the estimate, and as submissions. */
const MOST_WAITING_MS = 2.5 * SUBMISSION_MS;
const MOST_WAITING = 32;
/** The longest that other messages wait for this thread. */
const MAX_WAIT_MS = 30;
/**
 * The longest that encoded work waits for a submission. A GPU would idle meanwhile, and one costs it nothing; for a software
 * rasteriser encoding is no time at all beside the work.
 */
const SUBMIT_AFTER_MS = { software: 30, hardware: 2 };
/** A dispatch on nothing still costs this much. */
const DISPATCH_MS = 0.002;
/** A completion is learned of in time only by a thread that has waited for at least this long. */
const IDLE_MS = 1;

/** Speeds assumed until the first submission was timed: a software rasteriser's, and a small GPU's. */
const SLOW = { flopsPerMs: 0.5e6, bytesPerMs: 1e6 };
const FAST = { flopsPerMs: 20e6, bytesPerMs: 10e6 };

/**
 * Decides how much work goes into one submission and how many submissions may be in flight. Work is estimated in
 * milliseconds; the estimate is corrected by how long earlier submissions took.
 */
export class Pacer {
  readonly #speed: { flopsPerMs: number; bytesPerMs: number };
  /** The longest that encoded work should wait for a submission. */
  readonly submitAfterMs: number;
  readonly #turns = createTurns();
  #nextTurn: Promise<void> | undefined;
  readonly #waiting: { readonly estimatedMs: number; readonly done: Promise<void> }[] = [];
  #waitingMs = 0;
  #correction = 1;
  #recordedMs = 0;
  #lastCompletion = 0;
  #lastYield = performance.now();
  #lastSubmission = performance.now();
  /** When the thread last encoded or submitted. */
  #lastActivity = performance.now();

  constructor(isFallbackAdapter: boolean) {
    this.#speed = isFallbackAdapter ? SLOW : FAST;
    this.submitAfterMs = isFallbackAdapter ? SUBMIT_AFTER_MS.software : SUBMIT_AFTER_MS.hardware;
  }

  estimateMs(work: Work): number {
    const { flopsPerMs, bytesPerMs } = this.#speed;
    return DISPATCH_MS + this.#correction * Math.max(work.flops / flopsPerMs, work.bytes / bytesPerMs);
  }

  /** Into how many dispatches work should be cut so that none is longer than a submission should be. */
  partsFor(work: Work): number {
    return Math.ceil(this.estimateMs(work) / SUBMISSION_MS);
  }

  add(work: Work): void {
    this.#recordedMs += this.estimateMs(work);
  }

  get isFull(): boolean {
    return this.#recordedMs >= SUBMISSION_MS;
  }

  /** Whether what is encoded has waited long enough for a submission. */
  get isDue(): boolean {
    this.#lastActivity = performance.now();
    return this.#lastActivity - this.#lastSubmission > this.submitAfterMs;
  }

  /** Notes a submission of everything encoded; `done` resolves once it has run. */
  submitted(done: Promise<void>): void {
    const estimatedMs = this.#recordedMs;
    const start = performance.now();
    this.#recordedMs = 0;
    this.#lastSubmission = start;
    this.#lastActivity = start;
    const settle = () => {
      this.#waiting.splice(this.#waiting.indexOf(entry), 1);
      this.#waitingMs -= estimatedMs;
    };
    const entry = {
      estimatedMs,
      done: done.then(() => {
        const now = performance.now();
        this.#correct(estimatedMs, now - Math.max(start, this.#lastCompletion), now - this.#lastActivity);
        this.#lastCompletion = now;
        settle();
      }, settle),
    };
    this.#waiting.push(entry);
    this.#waitingMs += estimatedMs;
  }

  /** Waits while too much is in flight; lets other messages in at least every 30 ms. */
  async wait(): Promise<void> {
    while (
      this.#waiting.length > MOST_WAITING ||
      (this.#waiting.length > 1 && this.#waitingMs > MOST_WAITING_MS)
    ) {
      await this.#waiting[0]!.done;
      this.#lastYield = performance.now();
    }
    if (performance.now() - this.#lastYield > MAX_WAIT_MS) {
      await this.#turns.next();
      this.#lastYield = performance.now();
    }
  }

  /** The next turn of the event loop, the same for all who ask before it. */
  nextTurn(): Promise<void> {
    this.#nextTurn ??= this.#turns.next().then(() => {
      this.#nextTurn = undefined;
      this.#lastYield = performance.now();
    });
    return this.#nextTurn;
  }

  close(): void {
    this.#turns.close();
  }

  /**
   * Submissions of a millisecond or less measure overheads, not speed. A thread that was busy learns of completions late: its
   * times only say that the device is at least so fast.
   */
  #correct(estimatedMs: number, measuredMs: number, idleMs: number): void {
    if (estimatedMs < 1 || (estimatedMs < 5 && measuredMs < 5)) return;
    const ratio = Math.min(4, Math.max(1 / 4, measuredMs / estimatedMs));
    if (ratio > 1 && idleMs < IDLE_MS) return;
    this.#correction *= ratio;
  }
}
