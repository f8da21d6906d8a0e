/** How fast this device makes tiles, measured on the tiles that it has made. */

/** Assumed until something was measured: one core of a processor. */
const FIRST_CELLS_PER_MILLISECOND = 5e4;
const FIRST_TILE_MILLISECONDS = 0.05;
const FIRST_OVERHEAD_MILLISECONDS = 1;
/** A batch should come back within a frame, or, where the way to the device and back is longer, be worth that way. */
const BATCH_MILLISECONDS = 12;
const BATCH_OVERHEADS = 3;
const LONGEST_OVERHEAD_MILLISECONDS = 25;
/** The shortest time seen may have been luck: it grows a little with every measurement. */
const FORGETTING = 1.02;
/** How much a measurement that is slower than those before counts: it may have had to wait for something else. */
const SLOWER_CELLS = 0.3;
const SLOWER_TILES = 0.1;

/** A batch takes an overhead, something for each tile that is carried back, and the time that its cells need. */
export class TileRate {
  #cellsPerMillisecond = FIRST_CELLS_PER_MILLISECOND;
  #tileMilliseconds = FIRST_TILE_MILLISECONDS;
  #overhead = FIRST_OVERHEAD_MILLISECONDS;
  #isFirst = true;

  /** Milliseconds that evaluating cells takes. */
  millisecondsOf(cells: number): number {
    return cells / this.#cellsPerMillisecond;
  }

  /** Milliseconds that carrying tiles back takes. */
  millisecondsOfTiles(tiles: number): number {
    return tiles * this.#tileMilliseconds;
  }

  /** How long a batch should take. */
  get batchMilliseconds(): number {
    return Math.max(BATCH_MILLISECONDS, BATCH_OVERHEADS * this.#overhead);
  }

  /** Learns from a batch: how many cells were evaluated, and tiles carried, in how long. */
  note(cells: number, tiles: number, milliseconds: number): void {
    if (!(cells > 0)) return;
    const taken = Math.max(milliseconds, 0.05);
    const shortest = this.#isFirst ? taken : Math.min(taken, this.#overhead * FORGETTING);
    this.#overhead = Math.min(LONGEST_OVERHEAD_MILLISECONDS, shortest);
    this.#isFirst = false;
    const rest = Math.max(taken - this.#overhead, taken / 10);
    const forCells = this.millisecondsOf(cells);
    const forTiles = this.millisecondsOfTiles(tiles);
    // The larger part is what the measurement tells of.
    if (forCells >= forTiles) {
      const measured = cells / Math.max(rest - forTiles, rest / 4);
      const isFaster = measured > this.#cellsPerMillisecond;
      this.#cellsPerMillisecond += (isFaster ? 1 : SLOWER_CELLS) * (measured - this.#cellsPerMillisecond);
    } else {
      const measured = Math.max(rest - forCells, rest / 4) / tiles;
      const isFaster = measured < this.#tileMilliseconds;
      this.#tileMilliseconds += (isFaster ? 1 : SLOWER_TILES) * (measured - this.#tileMilliseconds);
    }
  }
}
