/** How fast this device makes tiles, measured on the tiles that it has made. */

/** Assumed until something was measured: one core of a processor. */
const FIRST_CELLS_PER_MILLISECOND = 5e4;
const FIRST_OVERHEAD_MILLISECONDS = 1;
/** A batch should come back within a frame, or, where the way to the device and back is longer, be worth that way. */
const BATCH_MILLISECONDS = 12;
const BATCH_OVERHEADS = 3;
const LONGEST_OVERHEAD_MILLISECONDS = 25;
/** The shortest time seen may have been luck: it grows a little with every measurement. */
const FORGETTING = 1.02;

export class TileRate {
  private cellsPerMillisecond = FIRST_CELLS_PER_MILLISECOND;
  private overhead = FIRST_OVERHEAD_MILLISECONDS;
  private isFirst = true;

  /** Milliseconds that evaluating cells takes, without the way to the device and back. */
  millisecondsOf(cells: number): number {
    return cells / this.cellsPerMillisecond;
  }

  /** How long a batch should take. */
  get batchMilliseconds(): number {
    return Math.max(BATCH_MILLISECONDS, BATCH_OVERHEADS * this.overhead);
  }

  /** Learns from a batch: how many cells were evaluated in how long. */
  note(cells: number, milliseconds: number): void {
    if (!(cells > 0)) return;
    const taken = Math.max(milliseconds, 0.05);
    const shortest = this.isFirst ? taken : Math.min(taken, this.overhead * FORGETTING);
    this.overhead = Math.min(LONGEST_OVERHEAD_MILLISECONDS, shortest);
    this.isFirst = false;
    const expected = this.millisecondsOf(cells);
    // Next to the overhead the cells did not count: nothing to be learnt, unless it took far longer.
    if (expected < this.overhead && taken < 2 * (this.overhead + expected)) return;
    const measured = cells / Math.max(taken - this.overhead, taken / 10);
    this.cellsPerMillisecond =
      measured > this.cellsPerMillisecond ? measured : 0.7 * this.cellsPerMillisecond + 0.3 * measured;
  }
}
