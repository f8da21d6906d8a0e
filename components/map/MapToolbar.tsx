import { ToggleGroup } from 'radix-ui';
import { type MapMode, mapModes, type PositionChoice, positionChoices } from '../../src/page/choices';
import { useMapPositions, usePage, usePageState } from '../../src/page/hooks';
import type { Pooling } from './paint';
import { gradientOf } from './ramps';

const modeHelp: Readonly<Record<MapMode, string>> = {
  full: 'Full attention',
  selective: 'Only what the method keeps',
  both: 'Kept and missed, the rest faint',
  split: 'Full on the left, selective on the right',
  blink: 'Full and selective in turn; Space swaps',
};

/** How the map is drawn, and of which head. */
export function MapToolbar() {
  const { actions } = usePage();
  const mode = usePageState((state) => state.session.view.mode);
  const layer = usePageState((state) => state.session.view.layer);
  const head = usePageState((state) => state.session.view.head);
  const zoom = usePageState((state) => state.session.view.zoom);
  const model = usePageState((state) => state.model);
  return (
    <div className="map-toolbar">
      <ToggleGroup.Root
        type="single"
        className="segments"
        aria-label="What the map shows"
        value={mode}
        onValueChange={(next) => next && actions.setView({ mode: next as MapMode }, true)}
      >
        {mapModes.map((name) => (
          <ToggleGroup.Item key={name} value={name} title={modeHelp[name]}>
            {name}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
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
        <button type="button" className="text-button" onClick={() => actions.setView({ zoom: null }, true)}>
          Show all
        </button>
      )}
    </div>
  );
}

const positionHelp: Readonly<Record<PositionChoice, string>> = {
  own: 'Weights under the method’s own positions: what its attention uses',
  model: 'Weights at the model’s positions: what full attention uses',
};

/** Under whose positions keys are weighed, where the method has its own for all of them. */
function PositionsSwitch() {
  const { actions } = usePage();
  const { whose, hasOwn } = useMapPositions();
  if (!hasOwn) return null;
  return (
    <span className="positions-switch">
      <span id="positions-label">positions</span>
      <ToggleGroup.Root
        type="single"
        className="segments"
        aria-labelledby="positions-label"
        value={whose}
        onValueChange={(next) => next && actions.setView({ positions: next as PositionChoice }, true)}
      >
        {positionChoices.map((name) => (
          <ToggleGroup.Item key={name} value={name} title={positionHelp[name]}>
            {name}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
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
  return (
    <label className="index-select">
      {label}
      <select className="field" value={value} onChange={(event) => onChange(Number(event.target.value))}>
        {Array.from({ length: count }, (_, at) => at).map((index) => (
          <option key={index}>{index}</option>
        ))}
      </select>
    </label>
  );
}

const legendRamps: Readonly<Record<MapMode, readonly ('heat' | 'kept' | 'missed')[]>> = {
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
    'A dropped cell with 1 % of the query’s weight outside tokens 0 to 3; a pixel of many cells: most are dropped, and one has so much',
} as const;

const poolings: Readonly<Record<Pooling, readonly [label: string, help: string]>> = {
  maximum: ['largest', 'A pixel that covers many cells shows the largest weight among them'],
  mean: ['mean', 'A pixel that covers many cells shows the mean of their weights'],
};

interface MapLegendProps {
  pooling: Pooling;
  onPooling: (pooling: Pooling) => void;
}

/** What the colours say; five decades of weight. */
export function MapLegend({ pooling, onPooling }: MapLegendProps) {
  const theme = usePageState((state) => state.session.view.theme);
  const mode = usePageState((state) => state.session.view.mode);
  const { whose, isVoid } = useMapPositions();
  if (whose === 'cache') {
    return (
      <p className="map-legend map-note">
        Kept keys only: in the cache they have positions, dropped ones have none, so nothing is missed.
      </p>
    );
  }
  const ramps = legendRamps[mode];
  return (
    <dl className="map-legend">
      {isVoid && (
        <div className="map-note">
          <dt className="visually-hidden">grey</dt>
          <dd>Past the trained length: weights at the model’s positions say nothing.</dd>
        </div>
      )}
      {ramps.map((ramp) => (
        <div key={ramp}>
          <dt title={rampHelp[ramp]}>{ramp === 'heat' ? 'full' : ramp}</dt>
          <dd style={{ background: gradientOf(theme, ramp) }} />
        </div>
      ))}
      <div className="legend-scale">
        <span>10⁻⁵</span>
        <span>{whose === 'own' ? 'weight, own positions, log' : 'weight, log'}</span>
        <span>1</span>
      </div>
      <div className="legend-pooling">
        <dt>pixel</dt>
        <dd className="legend-choice">
          <ToggleGroup.Root
            type="single"
            aria-label="Which weight a pixel of many cells shows"
            value={pooling}
            onValueChange={(next) => next && onPooling(next as Pooling)}
          >
            {Object.entries(poolings).map(([name, [label, help]]) => (
              <ToggleGroup.Item key={name} value={name} title={help}>
                {label}
              </ToggleGroup.Item>
            ))}
          </ToggleGroup.Root>
        </dd>
      </div>
    </dl>
  );
}
