import { useId } from 'react';
import { type MapMode, mapModes, type PositionChoice, positionChoices } from '../../src/page/choices';
import { useMapPositions, usePage, usePageState, useView } from '../../src/page/hooks';
import { Button } from '../shared/Button';
import { Select } from '../shared/Field';
import { Segments } from '../shared/Segments';
import { Hidden } from '../shared/Text';
import { gradientOf } from './colour-tables';
import styles from './MapToolbar.module.css';

const modeHelp: Readonly<Record<MapMode, string>> = {
  full: 'Full attention',
  selective: 'Only what the method keeps',
  both: 'Kept and missed, the rest faint',
  split: 'Full on the left, selective on the right',
  blink: 'Full and selective alternating; Space swaps',
};

/** How the map is drawn, and of which head. */
export function MapToolbar() {
  const { actions } = usePage();
  const mode = useView('mode');
  const layer = useView('layer');
  const head = useView('head');
  const zoom = useView('zoom');
  const model = usePageState('model');
  return (
    <div className={styles.toolbar}>
      <Segments
        aria-label="What the map shows"
        className={styles.modes}
        value={mode}
        options={mapModes.map((value) => ({ value, help: modeHelp[value] }))}
        onChange={(next) => actions.setView({ mode: next }, true)}
      />
      <IndexSelect
        label="layer"
        value={layer}
        count={model?.layers ?? layer + 1}
        onChange={(next) => actions.setView({ layer: next }, true)}
      />
      <IndexSelect
        label="head"
        value={head}
        count={model?.queryHeads ?? head + 1}
        onChange={(next) => actions.setView({ head: next }, true)}
      />
      <PositionsSwitch />
      {zoom && (
        <Button kind="text" onClick={() => actions.setView({ zoom: null }, true)}>
          Show all
        </Button>
      )}
    </div>
  );
}

const positionHelp: Readonly<Record<PositionChoice, string>> = {
  own: 'Weights under the method’s own positions: what its attention uses',
  model: 'Weights at the model’s positions: what full attention uses',
};

/** Whose positions weights are computed at, where the method has its own for all keys. */
function PositionsSwitch() {
  const { actions } = usePage();
  const { whose, hasOwn } = useMapPositions();
  if (!hasOwn) return null;
  return (
    <span className={styles.positions}>
      <span id="positions-label">positions</span>
      <Segments<PositionChoice | 'cache'>
        aria-labelledby="positions-label"
        className={styles.modes}
        value={whose}
        options={positionChoices.map((value) => ({ value, help: positionHelp[value] }))}
        onChange={(next) => next !== 'cache' && actions.setView({ positions: next }, true)}
      />
    </span>
  );
}

interface IndexSelectProps {
  label: string;
  value: number;
  count: number;
  onChange: (value: number) => void;
}

function IndexSelect({ label, value, count, onChange }: IndexSelectProps) {
  const id = useId();
  return (
    <span className={styles.index}>
      <label htmlFor={id}>{label}</label>
      <Select
        id={id}
        className={styles.number}
        value={value}
        options={Array.from({ length: count }, (_, index) => ({ value: index }))}
        onChange={(next) => onChange(Number(next))}
      />
    </span>
  );
}

const legends: Readonly<Record<MapMode, readonly ('heat' | 'kept' | 'missed')[]>> = {
  full: ['heat'],
  selective: ['kept'],
  both: ['kept', 'missed'],
  split: ['heat', 'kept'],
  blink: ['heat', 'kept'],
};

const rampHelp = {
  heat: 'Full attention’s weight',
  kept: 'A cell that the method keeps; a pixel of many cells: at least half of them',
  missed:
    'A dropped cell with 1 % of the query’s weight outside tokens 0 to 3; a pixel of many cells: most are dropped, and one has that much',
} as const;

const poolingOptions = [
  {
    value: 'maximum',
    label: 'largest',
    help: 'A pixel that covers many cells shows the largest weight among them',
  },
  { value: 'mean', help: 'A pixel that covers many cells shows the mean of their weights' },
] as const;

/** What the colours say; five decades of weight. */
export function MapLegend() {
  const { actions } = usePage();
  const theme = useView('theme');
  const mode = useView('mode');
  const pooling = useView('pooling');
  const { whose, isVoid, isMade } = useMapPositions();
  if (isMade) {
    return (
      <p className={`${styles.legend} ${styles.note}`}>
        Only tokens that stand as themselves: the others are mixed into rows of the cache, so nothing counts
        as missed.
      </p>
    );
  }
  if (whose === 'cache') {
    return (
      <p className={`${styles.legend} ${styles.note}`}>
        Kept keys only: they have positions in the cache, dropped ones have none, so nothing counts as missed.
      </p>
    );
  }
  const shown = legends[mode];
  return (
    <dl className={styles.legend}>
      {isVoid && (
        <div className={styles.note}>
          <Hidden as="dt">grey</Hidden>
          <dd>Past the trained length: weights at the model’s positions mean nothing.</dd>
        </div>
      )}
      {shown.map((ramp) => (
        <div key={ramp}>
          <dt title={rampHelp[ramp]}>{ramp === 'heat' ? 'full' : ramp}</dt>
          <dd style={{ background: gradientOf(theme, ramp) }} />
        </div>
      ))}
      <div className={styles.scale}>
        <span>10⁻⁵</span>
        <span>{whose === 'own' ? 'weight, own positions, log' : 'weight, log'}</span>
        <span>1</span>
      </div>
      <div>
        <dt>pixel</dt>
        <dd className={styles.choice}>
          <Segments
            kind="words"
            aria-label="Which weight a pixel of many cells shows"
            value={pooling}
            options={poolingOptions}
            onChange={(next) => actions.setView({ pooling: next }, true)}
          />
        </dd>
      </div>
    </dl>
  );
}
