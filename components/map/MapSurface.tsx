import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { explainKey } from '../../src/page/explain/explain-key';
import { useMapPositions, usePage, usePageState, useShownTexts, useView } from '../../src/page/hooks';
import { chosenQuery } from '../../src/page/state';
import type { MapRegion } from '../../src/tiles/grid';
import { formatCount, formatRank, formatWeight, nameToken } from '../shared/format';
import { ruleOf } from '../shared/rule';
import { Empty, Hidden } from '../shared/Text';
import { useSize } from '../shared/useSize';
import { useGestures } from './gestures';
import { keyboardAction } from './keyboard';
import { MapAxes } from './MapAxes';
import { MapCanvas } from './MapCanvas';
import { MapMarks } from './MapMarks';
import styles from './MapSurface.module.css';
import { SplitHandle } from './SplitHandle';
import { useRow } from './useRow';
import { fitRegion, settledRegion } from './viewport';

const KEYBOARD_PAUSE = 500;
const BLINK_MILLISECONDS = 900;

/** The cell under the cross-hair for those who do not see it: its tokens, its weight, and what became of it. */
function CellSaid({ query, cellKey }: { query: number; cellKey: number }) {
  const tokenTexts = usePageState('text')?.tokenTexts;
  const row = useRow(query);
  const name = (token: number): string => `${token} ${nameToken(tokenTexts?.[token] ?? '')}`;
  let said = `query ${name(query)}, key ${name(cellKey)}`;
  if (row) {
    const why = explainKey(row, cellKey);
    if (why.positions !== 'cache') said += `, weight ${formatWeight(why.weight)}`;
    said += `, ${ruleOf(why)}`;
  }
  return said;
}

/** The matrix: queries down, keys across. */
export function MapSurface() {
  const page = usePage();
  const { actions } = page;
  const tokens = usePageState('text')?.tokens ?? 0;
  const tokenTexts = useShownTexts();
  const zoom = useView('zoom');
  const mode = useView('mode');
  const split = useView('split');
  const pooling = useView('pooling');
  const cell = usePageState('cell');
  const query = usePageState(chosenQuery);
  const { whose, isVoid } = useMapPositions();
  const [moving, setMoving] = useState<MapRegion | null>(null);
  const [rowStep, setRowStep] = useState(1);
  const [box, size] = useSize<HTMLDivElement>({ width: 600, height: 520 });
  const { side, swap } = useBlink(mode === 'blink');

  const settled = useMemo(() => fitRegion(zoom, Math.max(1, tokens)), [zoom, tokens]);
  const region = moving ?? settled;
  const latest = useRef(region);
  latest.current = region;
  const pause = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(pause.current), []);

  const move = (next: MapRegion) => {
    latest.current = next;
    setMoving(next);
  };
  const settle = useCallback(() => {
    actions.setView({ zoom: settledRegion(latest.current, tokens) }, true);
    setMoving(null);
  }, [actions, tokens]);
  const gestures = useGestures(box, {
    tokens,
    region: latest,
    move,
    settle,
    hover: actions.point,
    choose: (chosen) => actions.setView({ query: chosen.query }, true),
  });
  const pressKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || tokens === 0) return;
    const at = { query: cell?.query ?? query ?? 0, key: cell?.key ?? 0 };
    if (event.key === 'Enter') actions.setView({ query: at.query }, true);
    else if (event.key === ' ' && mode === 'blink') swap();
    else {
      const result = keyboardAction(event.key, event.shiftKey, region, tokens, at);
      if (!result) return;
      if (result.cell) actions.point(result.cell);
      if (result.region) move(result.region);
      clearTimeout(pause.current);
      pause.current = setTimeout(settle, KEYBOARD_PAUSE);
    }
    event.preventDefault();
  };

  const cellWidth = size.width / (region.columnEnd - region.columnStart);
  const cellHeight = size.height / (region.rowEnd - region.rowStart);
  return (
    <div className={styles.frame} data-labelled={cellWidth >= 12 || undefined}>
      <MapAxes region={region} size={size} tokenTexts={tokenTexts ?? []} />
      <div
        ref={box}
        className={styles.surface}
        data-zoomed={zoom !== null || undefined}
        data-void={isVoid || undefined}
        role="application"
        aria-label={`Attention map of ${formatCount(tokens)} tokens: arrows move the cross-hair, plus and minus zoom, 0 shows all, Enter chooses the query`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: role application
        tabIndex={0}
        onKeyDown={pressKey}
        {...gestures}
      >
        {tokens === 0 && <Empty className={styles.empty}>The map appears when the text has been read.</Empty>}
        <MapCanvas
          region={region}
          size={size}
          mode={mode}
          pooling={pooling}
          blink={side}
          split={split}
          onSampled={setRowStep}
        />
        <MapMarks region={region} size={size} cell={cell} query={query} />
        {mode === 'split' && whose !== 'cache' && (
          <SplitHandle at={split} onMove={(at, isDone) => actions.setView({ split: at }, isDone)} />
        )}
        <Hidden aria-live="polite">
          {cell && cell.key !== null && <CellSaid query={cell.query} cellKey={cell.key} />}
        </Hidden>
      </div>
      {rowStep > 1 && (
        <span
          className={styles.sampled}
          title="Exact tiles would take longer than a second here; they follow."
        >
          sampled: every {formatRank(rowStep)} query
        </span>
      )}
      {cellHeight > 0 && mode === 'blink' && whose !== 'cache' && <span className={styles.side}>{side}</span>}
    </div>
  );
}

/** Alternates between full and selective; only by hand where reduced motion is preferred. */
function useBlink(isOn: boolean) {
  const [side, setSide] = useState<'full' | 'selective'>('full');
  const swap = () => setSide((before) => (before === 'full' ? 'selective' : 'full'));
  useEffect(() => {
    if (!isOn || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    const timer = setInterval(
      () => setSide((before) => (before === 'full' ? 'selective' : 'full')),
      BLINK_MILLISECONDS,
    );
    return () => clearInterval(timer);
  }, [isOn]);
  return { side, swap };
}
