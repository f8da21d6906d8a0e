import { useLayoutEffect, useMemo, useRef } from 'react';
import { usePageState } from '../../src/session/hooks';
import type { MapMode } from '../../src/session/session';
import type { MapRegion, MapTile } from '../../src/study/types';
import type { Size } from '../shared/useSize';
import { type Layer, paintTile, tileCanvas } from './paint';
import { rampsOf } from './ramps';
import type { Tiles } from './useTiles';

interface MapCanvasProps {
  tiles: Tiles;
  region: MapRegion;
  size: Size;
  mode: MapMode;
  /** Which side a blink shows now. */
  blink: 'full' | 'selective';
  /** Where a split divides the width, 0 … 1. */
  split: number;
}

/** The cells. Pictures keep their place in the matrix, so that they can be moved and scaled until newer ones come. */
export function MapCanvas({ tiles, region, size, mode, blink, split }: MapCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const layers: readonly Layer[] =
    mode === 'split' ? ['full', 'selective'] : [mode === 'blink' ? blink : mode];
  const [left = 'both', right = null] = layers;
  const first = usePictures(tiles, left);
  const second = usePictures(tiles, right);
  const ratio = typeof devicePixelRatio === 'number' ? devicePixelRatio : 1;
  const width = Math.round(size.width * ratio);
  const height = Math.round(size.height * ratio);

  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    context.clearRect(0, 0, width, height);
    for (const picture of first) drawPicture(context, picture, region, width, height);
    if (second.length === 0) return;
    context.save();
    context.beginPath();
    context.rect(split * width, 0, width, height);
    context.clip();
    for (const picture of second) drawPicture(context, picture, region, width, height);
    context.restore();
  });
  return <canvas ref={canvas} className="map-cells" width={width} height={height} />;
}

interface Picture {
  readonly tile: MapTile;
  readonly canvas: HTMLCanvasElement;
}

function usePictures({ whole, detail }: Tiles, layer: Layer | null): Picture[] {
  const theme = usePageState((state) => state.session.view.theme);
  const under = useMemo(() => pictureOf(whole, layer, theme), [whole, layer, theme]);
  const over = useMemo(() => pictureOf(detail, layer, theme), [detail, layer, theme]);
  return [under, detail === whole ? null : over].filter((picture) => picture !== null);
}

function pictureOf(tile: MapTile | null, layer: Layer | null, theme: 'dark' | 'light'): Picture | null {
  if (!tile || !layer) return null;
  const canvas = tileCanvas(tile, paintTile(tile, layer, rampsOf(theme)));
  return canvas && { tile, canvas };
}

function drawPicture(
  context: CanvasRenderingContext2D,
  { tile, canvas }: Picture,
  region: MapRegion,
  width: number,
  height: number,
): void {
  const perColumn = width / (region.columnEnd - region.columnStart);
  const perRow = height / (region.rowEnd - region.rowStart);
  const drawnWidth = (tile.columnEnd - tile.columnStart) * perColumn;
  const drawnHeight = (tile.rowEnd - tile.rowStart) * perRow;
  // Cells have hard edges; only a picture that shrinks is smoothed.
  context.imageSmoothingEnabled = drawnWidth < tile.width || drawnHeight < tile.height;
  context.drawImage(
    canvas,
    (tile.columnStart - region.columnStart) * perColumn,
    (tile.rowStart - region.rowStart) * perRow,
    drawnWidth,
    drawnHeight,
  );
}
