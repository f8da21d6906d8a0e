/** What the page asks of the engine to fill tiles, and what comes back: plain data that is posted between them. */
import type { TileAddress } from './grid';

/** Pixel rows [lineStart, lineEnd) of one tile. Every `rowStep`-th query row of a pixel is evaluated: 1 is exact. */
export interface TileWork extends TileAddress {
  readonly lineStart: number;
  readonly lineEnd: number;
  readonly rowStep: number;
}

export interface AttentionRequest {
  /** Key of the text (textKey): another one open in the engine is refused. */
  readonly text: string;
  readonly work: readonly TileWork[];
  /** Whose positions: null or absent, the model's; otherwise the method's own, by their key (ownPositionsOf). */
  readonly positions?: string | null;
}

/** Pooled attention weights, [lines, TILE_PIXELS] each. */
export interface PooledLines {
  readonly maximum: Float32Array;
  readonly mean: Float32Array;
  /** The largest of weight ÷ the weight from which on a dropped key of its row is missed: from 1 on, one of the cells would be. */
  readonly excess: Float32Array;
}

export interface AttentionReply {
  /** One per piece of work, in order. */
  readonly lines: readonly PooledLines[];
  /** What making them took. */
  readonly milliseconds: number;
}

export interface CoverageRequest {
  readonly text: string;
  /** Key of the method and its parameters (methodKey). */
  readonly method: string;
  readonly tiles: readonly TileAddress[];
}

export interface CoverageReply {
  /**
   * One per tile: the share of each pixel's causal cells that the method keeps, 0…1, [TILE_PIXELS, TILE_PIXELS]. Null: another
   * method is being run, or its selection is not there yet; the engine tells when it is.
   */
  readonly kept: readonly (Float32Array | null)[];
}

/** Whoever makes tiles: the engine behind its worker, or in the same thread. Rejects with UserError while it has no such text. */
export interface TileSource {
  attention(request: AttentionRequest, signal: AbortSignal): Promise<AttentionReply>;
  coverage(request: CoverageRequest, signal: AbortSignal): Promise<CoverageReply>;
}
