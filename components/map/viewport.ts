/** Which part of the matrix is in view: regions with fractional edges while a gesture lasts, whole cells afterwards. */

import type { MapRegion } from '../../src/tiles/grid';
import { levelFor } from '../../src/tiles/grid';

const FEWEST_CELLS = 8;

export function wholeRegion(tokens: number): MapRegion {
  return { rowStart: 0, rowEnd: tokens, columnStart: 0, columnEnd: tokens };
}

/** The level of the pyramid that fits the screen, by the finer of the two directions. */
export function levelOf(region: MapRegion, width: number, height: number): number {
  const { rowStart, rowEnd, columnStart, columnEnd } = region;
  return Math.min(levelFor(columnEnd - columnStart, width), levelFor(rowEnd - rowStart, height));
}

/** Zooms by `factor` (< 1: closer) about a point given as fractions of the view, 0 … 1. */
export function zoomRegion(
  region: MapRegion,
  tokens: number,
  x: number,
  y: number,
  factor: number,
): MapRegion {
  const [rowStart, rowEnd] = zoomSpan(region.rowStart, region.rowEnd, tokens, y, factor);
  const [columnStart, columnEnd] = zoomSpan(region.columnStart, region.columnEnd, tokens, x, factor);
  return { rowStart, rowEnd, columnStart, columnEnd };
}

/** Moves the view by fractions of its own size. */
export function panRegion(region: MapRegion, tokens: number, x: number, y: number): MapRegion {
  const rows = region.rowEnd - region.rowStart;
  const columns = region.columnEnd - region.columnStart;
  const [rowStart, rowEnd] = fitSpan(region.rowStart + y * rows, rows, tokens);
  const [columnStart, columnEnd] = fitSpan(region.columnStart + x * columns, columns, tokens);
  return { rowStart, rowEnd, columnStart, columnEnd };
}

/** Moves the view just far enough to show a cell. */
export function revealCell(region: MapRegion, tokens: number, query: number, key: number): MapRegion {
  const [rowStart, rowEnd] = revealIn(region.rowStart, region.rowEnd, tokens, query);
  const [columnStart, columnEnd] = revealIn(region.columnStart, region.columnEnd, tokens, key);
  return { rowStart, rowEnd, columnStart, columnEnd };
}

/** The smallest region of whole cells that covers the view. */
function outwardRegion(region: MapRegion): MapRegion {
  return {
    rowStart: Math.floor(region.rowStart),
    rowEnd: Math.ceil(region.rowEnd),
    columnStart: Math.floor(region.columnStart),
    columnEnd: Math.ceil(region.columnEnd),
  };
}

/** The region of a session: whole cells, null for the whole matrix. */
export function settledRegion(region: MapRegion, tokens: number): MapRegion | null {
  const settled = outwardRegion(region);
  const isWhole =
    settled.rowStart <= 0 &&
    settled.columnStart <= 0 &&
    settled.rowEnd >= tokens &&
    settled.columnEnd >= tokens;
  return isWhole ? null : settled;
}

/** A region of another text cut to this one; the whole matrix when nothing sensible is left. */
export function fitRegion(region: MapRegion | null, tokens: number): MapRegion {
  if (!region) return wholeRegion(tokens);
  const fitted = {
    rowStart: Math.min(region.rowStart, tokens - 1),
    rowEnd: Math.min(region.rowEnd, tokens),
    columnStart: Math.min(region.columnStart, tokens - 1),
    columnEnd: Math.min(region.columnEnd, tokens),
  };
  const isEmpty = fitted.rowEnd <= fitted.rowStart || fitted.columnEnd <= fitted.columnStart;
  return isEmpty ? wholeRegion(tokens) : fitted;
}

function zoomSpan(start: number, end: number, tokens: number, at: number, factor: number): [number, number] {
  const length = end - start;
  const next = Math.min(tokens, Math.max(Math.min(FEWEST_CELLS, tokens), length * factor));
  return fitSpan(start + at * (length - next), next, tokens);
}

function fitSpan(start: number, length: number, tokens: number): [number, number] {
  const fitted = Math.min(Math.max(0, start), tokens - length);
  return [fitted, fitted + length];
}

function revealIn(start: number, end: number, tokens: number, at: number): [number, number] {
  const length = end - start;
  if (at < start) return fitSpan(at, length, tokens);
  if (at + 1 > end) return fitSpan(at + 1 - length, length, tokens);
  return [start, end];
}
