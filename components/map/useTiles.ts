import { useEffect, useRef, useState } from 'react';
import { usePage, usePageState } from '../../src/session/hooks';
import type { MapRegion, MapTile } from '../../src/study/types';
import type { Size } from '../shared/useSize';
import { outwardRegion, wholeRegion } from './viewport';

/** Gestures move the last picture; a new one is asked for when they pause. */
const quietMilliseconds = 50;

export interface Tiles {
  /** The whole matrix, under everything else. */
  readonly whole: MapTile | null;
  /** The part in view, sharp. */
  readonly detail: MapTile | null;
}

/** Pictures of the head and region in view, the last known ones until the right ones are there. */
export function useTiles(region: MapRegion, size: Size, tokens: number): Tiles {
  const page = usePage();
  const layer = usePageState((state) => state.session.view.layer);
  const head = usePageState((state) => state.session.view.head);
  const version = usePageState((state) => state.pictureVersion);
  const recorded = usePageState((state) => state.recordedMap);
  const [tiles, setTiles] = useState<Tiles>({ whole: null, detail: null });
  const shownHead = useRef('');

  const { rowStart, rowEnd, columnStart, columnEnd } = outwardRegion(region);
  const ratio = typeof devicePixelRatio === 'number' ? devicePixelRatio : 1;
  const width = Math.max(1, Math.min(columnEnd - columnStart, Math.round(size.width * ratio)));
  const height = Math.max(1, Math.min(rowEnd - rowStart, Math.round(size.height * ratio)));

  useEffect(() => {
    if (version === 0 || tokens === 0) return;
    let isWanted = true;
    const timer = setTimeout(async () => {
      const asked = { rowStart, rowEnd, columnStart, columnEnd, layer, head, width, height };
      try {
        const tile = await page.map(asked);
        if (!isWanted) return;
        const { rowStart: top, rowEnd: bottom } = wholeRegion(tokens);
        const isWhole =
          tile.rowStart === top && tile.rowEnd === bottom && tile.columnEnd - tile.columnStart === tokens;
        setTiles((before) => ({
          whole: isWhole ? tile : shownHead.current === `${layer},${head}` ? before.whole : null,
          detail: tile,
        }));
        shownHead.current = `${layer},${head}`;
      } catch (error) {
        // Overtaken, or not read yet: the next version asks again.
        if (!(error instanceof Error && error.name === 'UserError')) console.error(error);
      }
    }, quietMilliseconds);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [page, layer, head, version, tokens, rowStart, rowEnd, columnStart, columnEnd, width, height]);

  if (tiles.detail === null && recorded?.layer === layer && recorded.head === head) {
    return { whole: recorded, detail: null };
  }
  return tiles;
}
