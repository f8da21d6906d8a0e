/**
 * A piece of a tile under positions of a method's own, cut into parts in which every query sees its keys from the same place: per
 * block of queries the far keys, and those that stay at the model's positions.
 */

/** Query rows [start, end) of a block, whose keys before `farEnd` are far. */
export interface TileSpan {
  readonly start: number;
  readonly end: number;
  readonly farEnd: number;
}

/** Query rows and keys of a part, and the pixels of its first ones, counted from the piece's corner. */
export interface TilePart {
  readonly isFar: boolean;
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly line: number;
  readonly column: number;
  /** Pixels. */
  readonly lines: number;
  readonly columns: number;
}

/** What a piece covers: whole pixels of tokensPerPixel² cells from its corner on, as far as there are queries and keys. */
export interface PieceRange {
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly tokensPerPixel: number;
}

/** Parts that together have every causal cell of the piece once. `spans`: ascending, without holes over its rows. */
export function partsOfPiece(range: PieceRange, spans: readonly TileSpan[]): TilePart[] {
  const parts: TilePart[] = [];
  for (const { start, end, farEnd } of spans) {
    const rows = { start: Math.max(range.rowStart, start), end: Math.min(range.rowEnd, end) };
    if (rows.start >= rows.end) continue;
    const seen = Math.min(range.keyEnd, rows.end);
    const far = { start: range.keyStart, end: Math.min(farEnd, seen) };
    const near = { start: Math.max(range.keyStart, farEnd), end: seen };
    for (const down of wholePixels(rows, range.rowStart, range.tokensPerPixel)) {
      for (const [keys, isFar] of [
        [far, true],
        [near, false],
      ] as const) {
        for (const across of wholePixels(keys, range.keyStart, range.tokensPerPixel)) {
          parts.push({
            isFar,
            ...{ rowStart: down.start, rowEnd: down.end, line: down.first, lines: down.count },
            ...{ keyStart: across.start, keyEnd: across.end, column: across.first, columns: across.count },
          });
        }
      }
    }
  }
  return parts;
}

interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly first: number;
  readonly count: number;
}

/** A range in pixels counted from `corner`: what is left of a pixel that it begins inside, then the others. */
function wholePixels(
  { start, end }: { readonly start: number; readonly end: number },
  corner: number,
  size: number,
): Stretch[] {
  if (start >= end) return [];
  const first = Math.floor((start - corner) / size);
  const boundary = Math.min(end, corner + Math.ceil((start - corner) / size) * size);
  const begun: Stretch[] = boundary > start ? [{ start, end: boundary, first, count: 1 }] : [];
  if (boundary >= end) return begun;
  const next = (boundary - corner) / size;
  return [...begun, { start: boundary, end, first: next, count: Math.ceil((end - boundary) / size) }];
}
