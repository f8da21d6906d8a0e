import { max } from 'd3-array';
import { scaleBand, scaleLinear } from 'd3-scale';
import type { LayerMeasurement } from '../../src/measure/results';
import type { Spectra } from '../../src/methods/method';
import { usePageState } from '../../src/page/hooks';
import type { Table } from '../shared/table';
import { useSize } from '../shared/useSize';
import { Chart, ShareGrid } from './Chart';
import styles from './Spectra.module.css';

const HEIGHT = 128;
const margin = { top: 8, right: 4, bottom: 20, left: 42 };

/** A layer of a method that cuts singular values. */
export interface CutLayer extends LayerMeasurement {
  readonly spectra: Spectra;
}

export function hasSpectra<Layer extends LayerMeasurement>(layer: Layer): layer is Layer & CutLayer {
  return layer.spectra !== undefined;
}

type Spectrum = Spectra['key'];

const maps = ['key', 'value'] as const;
const nameOf = { key: 'W_K', value: 'W_V' } as const;

/** Singular values of every layer's maps for keys and values, largest first, as shares of the layer's largest; faint beyond the cut. */
export function SpectraChart({ layers }: { layers: readonly CutLayer[] }) {
  const shown = usePageState((state) => state.session.view.layer);
  const [box, { width }] = useSize<HTMLDivElement>({ width: 310, height: HEIGHT });
  const yOf = scaleLinear([0, 1], [HEIGHT - margin.bottom, margin.top]);
  const xOf = scaleBand(
    layers.map(({ layer }) => layer),
    [margin.left, width - margin.right],
  ).paddingInner(0.25);
  return (
    <Chart
      box={box}
      width={width}
      height={HEIGHT}
      role="img"
      aria-label="Singular values by layer; the table has the numbers"
      isGrey={false}
    >
      <ShareGrid yOf={yOf} left={margin.left} right={width - margin.right} />
      {layers.map(({ layer, spectra }) => {
        const left = xOf(layer) ?? 0;
        return (
          <g key={layer} className={styles.layer}>
            <title>{`Layer ${layer}: ${maps.map((map) => cutOf(map, spectra[map])).join(', ')}`}</title>
            <text
              data-shown={layer === shown || undefined}
              x={left + xOf.bandwidth() / 2}
              y={HEIGHT - 5}
              textAnchor="middle"
            >
              {layer}
            </text>
            {maps.map((map) => {
              const points = pointsOf(spectra[map], left, xOf.bandwidth(), yOf);
              const { rank } = spectra[map];
              return (
                <g key={map} data-map={map}>
                  <polyline points={points.slice(0, rank).join(' ')} />
                  <polyline data-cut points={points.slice(Math.max(0, rank - 1)).join(' ')} />
                </g>
              );
            })}
          </g>
        );
      })}
    </Chart>
  );
}

/** `x,y` of every singular value, evenly across the layer's band. */
function pointsOf(
  { values }: Spectrum,
  left: number,
  band: number,
  yOf: (share: number) => number,
): string[] {
  const largest = max(values) || 1;
  const step = band / Math.max(1, values.length - 1);
  return values.map((value, i) => `${(left + i * step).toFixed(1)},${yOf(value / largest).toFixed(1)}`);
}

const cutOf = (map: keyof Spectra, { values, rank }: Spectrum): string =>
  `${rank} of ${values.length} singular values of ${nameOf[map]}`;

export function spectraTable(layers: readonly CutLayer[]): Table {
  const most = max(layers, ({ spectra }) => spectra.key.values.length) ?? 0;
  return {
    columns: [
      'layer',
      'map',
      'rank',
      'output error',
      ...Array.from({ length: most }, (_, i) => `σ ${i + 1}`),
    ],
    rows: layers.flatMap(({ layer, outputError, spectra }) =>
      maps.map((map) => [String(layer), nameOf[map], spectra[map].rank, outputError, ...spectra[map].values]),
    ),
  };
}
