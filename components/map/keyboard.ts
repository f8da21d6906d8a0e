/** What a key press does on the map. */
import type { Cell } from '../../src/page/state';
import type { MapRegion } from '../../src/tiles/grid';
import { revealCell, wholeRegion, zoomRegion } from './viewport';

export interface KeyboardAction {
  readonly region?: MapRegion;
  readonly cell?: Cell;
}

/** Null: the key does nothing here. Arrows move the cross-hair and, at the edge, the view; + and − zoom about it; 0 shows all. */
export function keyboardAction(
  key: string,
  isShift: boolean,
  region: MapRegion,
  tokens: number,
  cell: { query: number; key: number },
): KeyboardAction | null {
  const { rowStart, rowEnd, columnStart, columnEnd } = region;
  if (key === '0') return { region: wholeRegion(tokens) };
  if (key === '+' || key === '=' || key === '-' || key === '−') {
    const x = (cell.key + 0.5 - columnStart) / (columnEnd - columnStart);
    const y = (cell.query + 0.5 - rowStart) / (rowEnd - rowStart);
    return {
      region: zoomRegion(region, tokens, inside(x), inside(y), key === '+' || key === '=' ? 0.7 : 1 / 0.7),
    };
  }
  const rows = stepOf(rowEnd - rowStart, isShift);
  const columns = stepOf(columnEnd - columnStart, isShift);
  const moves: Record<string, [queries: number, keys: number]> = {
    ArrowUp: [-rows, 0],
    ArrowDown: [rows, 0],
    ArrowLeft: [0, -columns],
    ArrowRight: [0, columns],
  };
  const move = moves[key];
  if (!move) return null;
  const query = Math.min(tokens - 1, Math.max(0, cell.query + move[0]));
  const next = { query, key: Math.min(query, Math.max(0, cell.key + move[1])) };
  return { cell: next, region: revealCell(region, tokens, next.query, next.key) };
}

/** One cell where cells can be told apart, otherwise about a hundredth of the view; ten times that with Shift. */
function stepOf(cells: number, isShift: boolean): number {
  const step = Math.max(1, Math.round(cells / 128));
  return isShift ? step * 10 : step;
}

function inside(part: number): number {
  return Math.min(1, Math.max(0, part));
}
