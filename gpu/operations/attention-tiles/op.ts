import type { ProbabilityInputs, RowScalars } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import {
  asRows,
  checkApart,
  checkCount,
  checkFinite,
  checkInput,
  checkSpan,
  fail,
  scalarsAsRows,
} from '../../validate';
import { checkProbabilityInputs } from '../../validate/probability-inputs';

/** Query head of a tile, and the query and key row of its first cell. */
export interface TileOrigin {
  readonly head: number;
  readonly row: number;
  readonly key: number;
}

/**
 * Tiles of attention maps, pooled to pixels, `width × height` each. Pixel (y, x) of a tile covers the query rows
 * tile.row + [y, y + 1)·tokensPerPixel and the key rows tile.key + [x, x + 1)·tokensPerPixel, as far as there are any. out
 * is dense [tiles, 3, height, width]: the maximum, then the mean over the pixel's cells that are seen of the
 * probabilities exp(score − lse), then the largest of probability × factor: `factors` has one for each query row, the first
 * `firstKeys` keys have `firstFactor` instead. A pixel without such cells holds 0 in all three. Every `rowStep`-th query row
 * of a pixel is evaluated, from its first: 1 is exact. tokensPerPixel and rowStep are powers of two, rowStep ≤ tokensPerPixel.
 */
export interface AttentionTilesArguments extends ProbabilityInputs {
  readonly tiles: readonly TileOrigin[];
  readonly width: number;
  readonly height: number;
  readonly tokensPerPixel: number;
  readonly rowStep: number;
  readonly factors: RowScalars;
  readonly firstKeys: number;
  readonly firstFactor: number;
  readonly out: DeviceBuffer;
  readonly outOffset: number;
}

export function checkAttentionTiles(a: AttentionTilesArguments): void {
  checkProbabilityInputs('attentionTiles', a);
  checkCount('attentionTiles', 'width', a.width);
  checkCount('attentionTiles', 'height', a.height);
  checkPowerOfTwo('tokensPerPixel', a.tokensPerPixel);
  checkPowerOfTwo('rowStep', a.rowStep);
  if (a.rowStep > a.tokensPerPixel) {
    fail('attentionTiles', `rowStep is ${a.rowStep}, but a pixel has only ${a.tokensPerPixel} rows`);
  }
  for (const { head, row, key } of a.tiles) {
    checkCount('attentionTiles', 'tile.head', head);
    checkCount('attentionTiles', 'tile.row', row);
    checkCount('attentionTiles', 'tile.key', key);
    if (head >= a.query.heads) {
      fail('attentionTiles', `a tile is of head ${head}, but there are ${a.query.heads}`);
    }
  }
  checkInput('attentionTiles', 'factors', scalarsAsRows(a.factors, a.query.heads, a.query.rows));
  checkCount('attentionTiles', 'firstKeys', a.firstKeys);
  checkFinite('attentionTiles', 'firstFactor', a.firstFactor);
  const length = a.tiles.length * 3 * a.width * a.height;
  checkSpan('attentionTiles', 'out', a.out, 'f32', a.outOffset, length);
  const out = asRows({ buffer: a.out, offset: a.outOffset, rows: 1, length, rowStride: 0 });
  checkApart('attentionTiles', 'out', out, 'query', a.query);
  checkApart('attentionTiles', 'out', out, 'key', a.key);
}

function checkPowerOfTwo(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1 || value > 2 ** 30 || (value & (value - 1)) !== 0) {
    fail('attentionTiles', `${name} is ${value}, but must be a power of two`);
  }
}
