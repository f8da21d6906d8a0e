import { useCallback, useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import type { MapMode, Pooling } from '../../src/page/choices';
import { useMapPositions, useMethodKey, usePage, usePageState, useView } from '../../src/page/hooks';
import type { MapRegion } from '../../src/tiles/grid';
import type { Size } from '../shared/useSize';
import { colourTablesOf } from './colour-tables';
import type { MapSubject } from './level-canvas';
import styles from './MapSurface.module.css';
import { canvasOf, type Layer, renderPicture } from './pixels';
import { type Frame, MapRenderer, type Picture } from './renderer';
import { levelOf } from './viewport';

interface MapCanvasProps {
  region: MapRegion;
  size: Size;
  mode: MapMode;
  pooling: Pooling;
  /** Which side a blink shows now. */
  blink: 'full' | 'selective';
  /** Where a split divides the width, 0 … 1. */
  split: number;
  /** Called with how many query rows one sampled row stands for; 1 where everything in view is exact. */
  onSampled(rowStep: number): void;
}

/** The cells: tiles of the part in view, coarse ones at first, refined in place. */
export function MapCanvas({ region, size, mode, pooling, blink, split, onSampled }: MapCanvasProps) {
  const { tiles } = usePage();
  const canvas = useRef<HTMLCanvasElement>(null);
  const renderer = useMemo(() => new MapRenderer(tiles), [tiles]);
  const ratio = typeof devicePixelRatio === 'number' ? devicePixelRatio : 1;
  const width = Math.round(size.width * ratio);
  const height = Math.round(size.height * ratio);
  const level = useMemo(() => levelOf(region, width, height), [region, width, height]);
  const focus = useFocus(region);
  const shown = useShown(mode, blink);
  const left = useSubject(shown[0]!, pooling);
  const right = useSubject(shown[1] ?? null, pooling);
  const leftPicture = useRecorded(shown[0]!);
  const rightPicture = useRecorded(shown[1] ?? null);
  useShow(region, level, focus);

  const subjects = [left, right].filter((subject) => subject !== null);
  const latest = useRef<Frame>(null!);
  latest.current = { subjects, region, level, focus, split, pictures: [leftPicture, rightPicture] };
  const request = useRef(0);
  const heard = useRef(onSampled);
  heard.current = onSampled;
  const schedule = useCallback(() => {
    if (request.current !== 0) return;
    request.current = requestAnimationFrame(() => {
      request.current = 0;
      const element = canvas.current;
      const context = element?.getContext('2d');
      if (!element || !context) return;
      const isUnfinished = renderer.draw(context, latest.current, element.width, element.height);
      heard.current(renderer.rowStep);
      if (isUnfinished) schedule();
    });
  }, [renderer]);
  useLayoutEffect(schedule);
  useEffect(
    () =>
      tiles.listen((changed) => {
        renderer.invalidate(changed);
        schedule();
      }),
    [tiles, renderer, schedule],
  );
  const method = useMethodKey();
  // Its shares may be cached already: then no tile arrives to announce them.
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever the method is another one
  useEffect(() => {
    renderer.invalidateAll();
    schedule();
  }, [renderer, schedule, method]);
  useEffect(
    () => () => {
      cancelAnimationFrame(request.current);
      request.current = 0;
    },
    [],
  );
  return <canvas ref={canvas} className={styles.cells} width={width} height={height} />;
}

/** What is drawn: one picture, or two for a split. Where dropped keys have no weights, only which keys are kept. */
function useShown(mode: MapMode, blink: 'full' | 'selective'): readonly Layer[] {
  const { whose } = useMapPositions();
  if (whose === 'cache') return ['kept'];
  return mode === 'split' ? ['full', 'selective'] : [mode === 'blink' ? blink : mode];
}

/** Where the pointer is, if it is over the part in view, otherwise the middle. */
function useFocus(region: MapRegion): { query: number; key: number } {
  const cell = usePageState('cell');
  const { rowStart, rowEnd, columnStart, columnEnd } = region;
  const isInside =
    cell !== null &&
    cell.key !== null &&
    cell.query >= rowStart &&
    cell.query < rowEnd &&
    cell.key >= columnStart &&
    cell.key < columnEnd;
  return isInside
    ? { query: cell.query, key: cell.key! }
    : { query: (rowStart + rowEnd) / 2, key: (columnStart + columnEnd) / 2 };
}

/** What a level canvas shows; the same object as long as nothing about it changes. Null while there is no text. */
function useSubject(shown: Layer | null, pooling: Pooling): MapSubject | null {
  const text = usePageState('textKey');
  const { key: positions } = useMapPositions();
  const tokens = usePageState('text')?.tokens ?? 0;
  const layer = useView('layer');
  const head = useView('head');
  const theme = useView('theme');
  return useMemo(
    () =>
      text === null || tokens === 0 || shown === null
        ? null
        : { text, positions, tokens, layer, head, shown, pooling, colours: colourTablesOf(theme) },
    [text, positions, tokens, layer, head, shown, pooling, theme],
  );
}

/** The recorded picture of the head in view, if there is one. */
function useRecorded(shown: Layer | null): Picture | null {
  const recorded = usePageState('snapshotMap');
  const { key: positions } = useMapPositions();
  const layer = useView('layer');
  const head = useView('head');
  const theme = useView('theme');
  return useMemo(() => {
    // Recorded under the model's positions.
    if (
      !recorded ||
      shown === null ||
      positions !== null ||
      recorded.layer !== layer ||
      recorded.head !== head
    )
      return null;
    const { width, height } = recorded;
    const drawn = canvasOf(width, height, renderPicture(recorded, shown, colourTablesOf(theme)));
    return drawn && { region: recorded, canvas: drawn };
  }, [recorded, positions, shown, layer, head, theme]);
}

/** Asks for the tiles of the part in view. */
function useShow(region: MapRegion, level: number, focus: { query: number; key: number }): void {
  const { tiles } = usePage();
  const text = usePageState('textKey');
  const tokens = usePageState('text')?.tokens ?? 0;
  const { key: positions } = useMapPositions();
  const version = usePageState('pictureVersion');
  const method = useMethodKey();
  const layer = useView('layer');
  const head = useView('head');
  const { rowStart, rowEnd, columnStart, columnEnd } = region;
  const { query, key } = focus;
  useLayoutEffect(() => {
    if (text === null || tokens === 0 || version === 0) return;
    const part = { rowStart, rowEnd, columnStart, columnEnd };
    tiles.show({ text, positions, tokens, method, layer, head, region: part, level, focus: { query, key } });
  }, [
    tiles,
    text,
    positions,
    tokens,
    version,
    method,
    layer,
    head,
    level,
    query,
    key,
    rowStart,
    rowEnd,
    columnStart,
    columnEnd,
  ]);
}
