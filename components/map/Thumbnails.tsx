import { type KeyboardEvent, type MouseEvent, useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import {
  useArrivingLayers,
  useIsStale,
  useMapPositions,
  useMeasured,
  usePage,
  usePageState,
  useView,
} from '../../src/page/hooks';
import { palettes } from '../shared/palette';
import { colourTablesOf } from './colour-tables';
import styles from './Thumbnails.module.css';
import { ThumbnailCanvas } from './thumbnail-canvas';

const GAP = 5;
const BAR_HEIGHT = 3;
const LABEL_WIDTH = 16;
const WIDEST = 168;

/** All layers and heads at a glance, with a bar for each head's mass recall. */
export function Thumbnails() {
  const { actions, tiles } = usePage();
  const model = usePageState('model');
  const recorded = usePageState('thumbnails');
  const text = usePageState('textKey');
  const tokens = usePageState('text')?.tokens ?? 0;
  const running = usePageState('running');
  const layersShown = useMeasured('layers');
  // A bar has no room for a name: it stands for the present choice or not at all.
  const arriving = useArrivingLayers();
  const isStale = useIsStale(layersShown?.by ?? null);
  const measured = isStale ? arriving : layersShown?.value;
  const layer = useView('layer');
  const head = useView('head');
  const theme = useView('theme');
  const { whose, key: positions, isVoid } = useMapPositions();
  const canvas = useRef<HTMLCanvasElement>(null);
  const layers = model?.layers ?? 8;
  const heads = model?.queryHeads ?? 6;
  const side = Math.max(8, Math.floor(WIDEST / heads) - GAP);
  const rowHeight = side + BAR_HEIGHT + GAP + 2;
  const width = LABEL_WIDTH + heads * (side + GAP);
  const height = layers * rowHeight;
  const ratio = typeof devicePixelRatio === 'number' ? devicePixelRatio : 1;
  const pixels = Math.round(side * ratio);
  const pictures = useMemo(
    () =>
      new ThumbnailCanvas(
        { layers, heads, pixels, text, positions, tokens, recorded, colours: colourTablesOf(theme) },
        tiles,
      ),
    [layers, heads, pixels, text, positions, tokens, recorded, theme, tiles],
  );

  useEffect(() => {
    const all = Array.from({ length: layers * heads }, (_, at) => ({
      layer: Math.floor(at / heads),
      head: at % heads,
    }));
    tiles.showHeads(all, !running);
  }, [tiles, layers, heads, running]);

  /** Methods that mix or remake keys have no recall by tokens, and layers that see a window by themselves have none with any method. */
  const hasBars = !measured?.length || measured.some((part) => part.massRecall !== null);
  const draw = useRef(() => {});
  draw.current = () => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const { line, kept, dim } = palettes[theme];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = '10px system-ui, sans-serif';
    context.textBaseline = 'middle';
    for (let row = 0; row < layers; row++) {
      const y = row * rowHeight + 1;
      context.fillStyle = dim;
      context.fillText(String(row), 0, y + side / 2);
      for (let column = 0; column < heads; column++) {
        const x = LABEL_WIDTH + column * (side + GAP);
        pictures.draw(context, row, column, x, y, side);
        const numbers = measured?.find((part) => part.layer === row)?.heads[column];
        const recall = whose === 'own' ? numbers?.ownMassRecall : numbers?.massRecall;
        if (numbers && numbers.massRecall === null) continue;
        context.fillStyle = line;
        context.fillRect(x, y + side + 2, side, BAR_HEIGHT);
        context.fillStyle = kept;
        context.fillRect(x, y + side + 2, side * Math.min(1, recall ?? 0), BAR_HEIGHT);
      }
    }
  };
  useLayoutEffect(() => draw.current());
  useEffect(() => {
    let request = 0;
    const stop = tiles.listen((changed) => {
      if (!pictures.invalidate(changed) || request !== 0) return;
      request = requestAnimationFrame(() => {
        request = 0;
        draw.current();
      });
    });
    return () => {
      stop();
      cancelAnimationFrame(request);
    };
  }, [tiles, pictures]);

  const choose = (event: MouseEvent) => {
    const { left, top } = event.currentTarget.getBoundingClientRect();
    const column = Math.floor((event.clientX - left - LABEL_WIDTH) / (side + GAP));
    const row = Math.floor((event.clientY - top) / rowHeight);
    if (column >= 0 && column < heads && row >= 0 && row < layers) {
      actions.setView({ layer: row, head: column }, true);
    }
  };
  const press = (event: KeyboardEvent) => {
    const steps: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const to = (at: number, count: number) => Math.min(count - 1, Math.max(0, at));
    actions.setView({ layer: to(layer + step[0], layers), head: to(head + step[1], heads) }, true);
  };
  return (
    <div className={styles.thumbnails} data-void={isVoid || undefined}>
      <p className={styles.title}>
        layers × heads {hasBars && <span>bar: {whose === 'own' && 'own '}mass recall</span>}
      </p>
      <div className={styles.scroll}>
        <div
          className={styles.grid}
          role="application"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: role application
          tabIndex={0}
          aria-label={`Layer ${layer}, head ${head}; arrow keys move`}
          style={{ width, height }}
          onClick={choose}
          onKeyDown={press}
        >
          <canvas
            ref={canvas}
            width={Math.round(width * ratio)}
            height={Math.round(height * ratio)}
            style={{ width, height }}
          />
          <span
            className={styles.chosen}
            style={{
              left: LABEL_WIDTH + head * (side + GAP) - 3,
              top: layer * rowHeight - 2,
              width: side + 6,
              height: side + BAR_HEIGHT + 8,
            }}
          />
        </div>
      </div>
    </div>
  );
}
