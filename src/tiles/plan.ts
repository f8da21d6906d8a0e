/** Which tiles are made next, and how exactly. */
import { causalCells, linesOf, TILE_PIXELS, type TileAddress, tokensPerPixel } from './grid';
import type { TileWork } from './requests';
import type { TileRate } from './throughput';

/** Attention pooled to a tile's pixels, [TILE_PIXELS, TILE_PIXELS] each; filled from the top. */
export interface AttentionTile {
  readonly maximum: Float32Array;
  readonly mean: Float32Array;
  /** See PooledLines. */
  readonly excess: Float32Array;
  /** Pixel rows, from the first, that are exact. */
  exactLines: number;
  /** The others: every n-th query row of a pixel evaluated. 0: they are not there yet. */
  rowStep: number;
}

/** A tile that somebody wants, with what there is of it. */
export interface TileWish {
  readonly address: TileAddress;
  readonly key: string;
  readonly tile: AttentionTile | undefined;
  /** The whole matrix of a head: a thumbnail, and what stands in where nothing better is there. */
  readonly isWhole: boolean;
  /** Whether it may be made exact now, if it is not. */
  readonly mayRefine: boolean;
  /** Asked for already. */
  readonly isPending: boolean;
}

/** The rule: a tile in view whose exact picture takes longer than this is sampled first, in at most SAMPLE_MILLISECONDS. */
export const LONGEST_EXACT_MILLISECONDS = 1000;
const SAMPLE_MILLISECONDS = 100;
/** What stands in for the view, and thumbnails, get this long before everything else is exact. */
const GLANCE_MILLISECONDS = 8;
/** The engine does other things, and hears of changes, between pieces of this length. */
const PIECE_MILLISECONDS = 50;
/** Six MiB of pixels: while one batch is painted the next is on its way, and nothing large has to be allocated. */
const MOST_PIECES = 32;

/**
 * The next batch of work: as much as the rate says fits into one, at least one piece if anything is left to do. First a
 * glance at the whole head if the view will take a while and there is none, then the view in the order of the wishes, sampled
 * where the rule says so, then what was sampled made exact, then whole heads in the same way.
 */
export function planWork(wishes: readonly TileWish[], tokens: number, rate: TileRate): TileWork[] {
  const batch = new Batch(tokens, rate);
  const inView = wishes.filter(({ isWhole }) => !isWhole);
  const whole = wishes.filter(({ isWhole }) => isWhole);
  const isUnseen = ({ tile, address }: TileWish): boolean => !tile || !isShown(tile, address, tokens);
  const [cover] = whole;
  if (cover && isUnseen(cover) && batch.costOf(inView.filter(isUnseen)) > GLANCE_MILLISECONDS) {
    batch.addGlance(cover, GLANCE_MILLISECONDS);
  }
  for (const wish of inView) {
    if (!isUnseen(wish)) continue;
    if (batch.costOf([wish]) > LONGEST_EXACT_MILLISECONDS) batch.addGlance(wish, SAMPLE_MILLISECONDS);
    else batch.addExact(wish);
  }
  for (const wish of inView) if (wish.mayRefine) batch.addExact(wish);
  for (const wish of whole) if (isUnseen(wish)) batch.addGlance(wish, GLANCE_MILLISECONDS);
  for (const wish of whole) if (wish.mayRefine) batch.addExact(wish);
  return batch.work;
}

/** Whether a tile has something in each of its pixel rows. */
export function isShown(
  { exactLines, rowStep }: AttentionTile,
  address: TileAddress,
  tokens: number,
): boolean {
  return rowStep > 0 || exactLines >= linesOf(address, tokens);
}

/** Whether a tile shows something that was only sampled. */
export function isSampled(
  { exactLines, rowStep }: AttentionTile,
  address: TileAddress,
  tokens: number,
): boolean {
  return rowStep > 1 && exactLines < linesOf(address, tokens);
}

/** Cells that pieces evaluate. */
export function cellsOf(work: readonly TileWork[], tokens: number): number {
  return work.reduce(
    (sum, piece) => sum + causalCells(piece, tokens, piece.lineStart, piece.lineEnd) / piece.rowStep,
    0,
  );
}

class Batch {
  readonly work: TileWork[] = [];
  readonly #tokens: number;
  readonly #rate: TileRate;
  readonly #taken = new Set<string>();
  #milliseconds = 0;

  constructor(tokens: number, rate: TileRate) {
    this.#tokens = tokens;
    this.#rate = rate;
  }

  /** Milliseconds that exact pictures would take. */
  costOf(wishes: readonly TileWish[]): number {
    const exact = wishes.reduce((sum, wish) => sum + this.#exactMilliseconds(wish.address), 0);
    return exact + this.#rate.millisecondsOfTiles(wishes.length);
  }

  /** All of a tile within the time given, exact if that is possible; as coarse as one row a pixel if need be. */
  addGlance(wish: TileWish, milliseconds: number): void {
    const { address } = wish;
    const exact = this.#exactMilliseconds(address);
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, exact / milliseconds)));
    const rowStep = Math.min(wanted, tokensPerPixel(address.level));
    // Some lines of it may be exact already: a picture in two kinds is made by the exact ones alone.
    if (rowStep === 1) this.addExact(wish);
    else this.#add(wish, { lineStart: 0, lineEnd: linesOf(address, this.#tokens), rowStep }, exact / rowStep);
  }

  /** The next exact pixel rows of a tile, as many as one piece may have. */
  addExact(wish: TileWish): void {
    const { address, tile } = wish;
    const lineStart = tile?.exactLines ?? 0;
    const lines = linesOf(address, this.#tokens);
    if (lineStart >= lines) return;
    const costTo = (lineEnd: number): number =>
      this.#rate.millisecondsOf(causalCells(address, this.#tokens, lineStart, lineEnd));
    let lineEnd = lines;
    while (lineEnd - lineStart > 1 && costTo(lineEnd) > PIECE_MILLISECONDS) {
      lineEnd = lineStart + Math.ceil((lineEnd - lineStart) / 2);
    }
    this.#add(wish, { lineStart, lineEnd, rowStep: 1 }, costTo(lineEnd));
  }

  #add(
    { address, key, isPending }: TileWish,
    piece: Pick<TileWork, 'lineStart' | 'lineEnd' | 'rowStep'>,
    milliseconds: number,
  ): void {
    const isFull =
      this.work.length > 0 &&
      (this.work.length >= MOST_PIECES || this.#milliseconds + milliseconds > this.#rate.batchMilliseconds);
    if (isPending || isFull || this.#taken.has(key) || piece.lineEnd <= piece.lineStart) return;
    const { layer, head, level, row, column } = address;
    this.#taken.add(key);
    this.#milliseconds += milliseconds + this.#rate.millisecondsOfTiles(1);
    this.work.push({ layer, head, level, row, column, ...piece });
  }

  #exactMilliseconds(address: TileAddress): number {
    return this.#rate.millisecondsOf(causalCells(address, this.#tokens, 0, TILE_PIXELS));
  }
}
