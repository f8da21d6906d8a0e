import { min } from 'd3-array';
import { scaleBand, scaleLinear } from 'd3-scale';
import { useState } from 'react';
import type { HeadMeasurement, LayerMeasurement } from '../../src/measure/results';
import { windowClause } from '../../src/measure/window-layers';
import {
  useArrivingLayers,
  useIsPast,
  useMeasured,
  useMethod,
  usePage,
  usePageState,
  useView,
} from '../../src/page/hooks';
import { positionsOf } from '../../src/page/map-positions';
import type { MeasuredBy, ShownPart } from '../../src/page/measured';
import { pointCommand } from '../shared/command';
import { DataTable } from '../shared/DataTable';
import { formatCount, formatPercent } from '../shared/format';
import { Panel } from '../shared/Panel';
import { methodTitle } from '../shared/provenance';
import { Stale } from '../shared/Stale';
import { Term } from '../shared/Term';
import { Empty } from '../shared/Text';
import type { Table } from '../shared/table';
import { useSize } from '../shared/useSize';
import { Chart, ShareGrid } from './Chart';
import styles from './LayerRecall.module.css';
import { Patterns } from './Patterns';
import { hasSpectra, SpectraChart, spectraTable } from './Spectra';

const HEIGHT = 128;
const margin = { top: 8, right: 4, bottom: 20, left: 42 };

/** Mass recall of every layer, a dot for each head. */
export function LayerRecall() {
  const { findMethod } = usePage();
  const measured = useMeasured('layers');
  const arriving = useArrivingLayers();
  const isPast = useIsPast();
  const method = useMethod();
  const [isTableShown, showTable] = useState(false);
  if (!measured) {
    return (
      <Panel title="Mass recall by layer" name="recall">
        <Empty>No layer measured yet.</Empty>
      </Panel>
    );
  }
  const layers = shownLayers(measured, arriving, methodTitle(measured.by.method, findMethod), method.title);
  const leadsOwn = isPast && positionsOf(measured.by.method, findMethod) === 'own';
  const cut = layers.filter(hasSpectra);
  const isCut = cut.length > 0;
  const table = () => (isCut ? spectraTable(cut) : recallTable(layers));
  const counted = layers.filter(hasRecall);
  const reason = layers.find((layer) => layer.reason !== undefined && layer.window === undefined)?.reason;
  const windowed = layers.filter(({ window }) => window !== undefined);
  return (
    <Panel
      title={
        isCut ? (
          <Term name="spectra">Singular values by layer</Term>
        ) : (
          <Term name={leadsOwn ? 'ownMassRecall' : 'massRecall'}>
            {leadsOwn ? 'Own mass recall by layer' : 'Mass recall by layer'}
          </Term>
        )
      }
      aside={isCut ? 'green: keys' : 'dots: heads'}
      name="recall"
      by={measured.by}
      copy={{
        what: isCut ? 'singular values by layer' : 'mass recall by layer',
        table,
        by: () => measured.by,
        command: pointCommand,
        isTableShown,
        showTable,
      }}
    >
      <PastTrained hasOwn={leadsOwn} />
      {counted.length > 0 && (
        <RecallChart
          layers={leadsOwn ? counted.map(underOwn) : counted}
          windowed={windowed}
          isGrey={isPast && !leadsOwn}
        />
      )}
      {isCut && <SpectraChart layers={cut} />}
      <Patterns layers={layers} />
      {reason !== undefined && <p className={styles.past}>{reason}</p>}
      {windowed.length > 0 && <p className={styles.past}>{ofWindows(windowed, layers.length)}</p>}
      {isTableShown && (
        <DataTable
          table={table()}
          caption={isCut ? 'Singular values by layer' : 'Mass recall by layer and head, share of 1'}
          by={measured.by}
        />
      )}
    </Panel>
  );
}

/** Which layers see a window by themselves, in one sentence. */
function ofWindows(windowed: readonly ShownLayer[], layers: number): string {
  const clause = windowClause(windowed[0]!.window!);
  if (windowed.length === layers) return `Every layer ${clause}.`;
  const numbers = windowed.map(({ layer }) => layer).join(', ');
  return windowed.length === 1 ? `Layer ${numbers} ${clause}.` : `Each of layers ${numbers} ${clause}.`;
}

/** Why recall is grey, where it is, and what is not. `hasOwn`: recall is shown under the method's own positions. */
function PastTrained({ hasOwn }: { hasOwn: boolean }) {
  const isPast = useIsPast();
  const trained = usePageState('model')?.trainedTokens ?? 0;
  if (!isPast) return null;
  return (
    <p className={styles.past}>
      Past the <Term name="trainedLength">trained length</Term> of {formatCount(trained)} tokens full
      attention is no yardstick: read the answer
      {hasOwn ? ', and recall under the method’s own positions' : ', not the recall'}.
    </p>
  );
}

/** A layer, and the method that measured it: during a run the chart shows those of two methods. */
interface ShownLayer extends LayerMeasurement {
  readonly title: string;
  readonly by: MeasuredBy | null;
}

/** A layer whose rows of the cache are tokens. */
interface CountedLayer extends ShownLayer {
  readonly massRecall: number;
  readonly heads: readonly (HeadMeasurement & { readonly massRecall: number })[];
}

function hasRecall(layer: ShownLayer): layer is CountedLayer {
  return layer.massRecall !== null;
}

/** A layer with recall under the method's own positions in place of that at the model's; those without keep it. */
function underOwn(layer: CountedLayer): CountedLayer {
  return {
    ...layer,
    massRecall: layer.ownMassRecall ?? layer.massRecall,
    heads: layer.heads.map((head) => ({ ...head, massRecall: head.ownMassRecall ?? head.massRecall })),
  };
}

/** The present choice's layers as they arrive, in place of those that were measured before. */
function shownLayers(
  { value, by }: Pick<ShownPart<'layers'>, 'value' | 'by'>,
  arriving: readonly LayerMeasurement[],
  measuredTitle: string,
  presentTitle: string,
): ShownLayer[] {
  // Those that arrive are what is shown where nobody has measured all.
  const others = value === arriving ? [] : arriving;
  const before = value
    .filter(({ layer }) => others.every((other) => other.layer !== layer))
    .map((layer) => ({ ...layer, title: measuredTitle, by }));
  const now = others.map((layer) => ({ ...layer, title: presentTitle, by: null }));
  return [...before, ...now].sort((a, b) => a.layer - b.layer);
}

function RecallChart({
  layers,
  windowed,
  isGrey,
}: {
  layers: readonly CountedLayer[];
  /** Without recall: grey. */
  windowed: readonly ShownLayer[];
  isGrey: boolean;
}) {
  const { actions } = usePage();
  const shownLayer = useView('layer');
  const shownHead = useView('head');
  const [box, { width }] = useSize<HTMLDivElement>({ width: 310, height: HEIGHT });
  const lowest = min(layers, ({ heads }) => min(heads, (head) => head.massRecall)) ?? 1;
  const yOf = scaleLinear(
    [Math.min(0.9, Math.floor(lowest * 10) / 10), 1],
    [HEIGHT - margin.bottom, margin.top],
  );
  const xOf = scaleBand(
    [...layers, ...windowed].map(({ layer }) => layer).sort((a, b) => a - b),
    [margin.left, width - margin.right],
  ).paddingInner(0.25);
  const band = xOf.bandwidth();
  return (
    <Chart
      box={box}
      width={width}
      height={HEIGHT}
      role="img"
      aria-label="Mass recall by layer; the table has the numbers"
      isGrey={isGrey}
    >
      <ShareGrid yOf={yOf} left={margin.left} right={width - margin.right} />
      {windowed.map(({ layer, reason }) => (
        <g key={layer} className={styles.layer}>
          <text
            data-shown={layer === shownLayer || undefined}
            x={(xOf(layer) ?? 0) + band / 2}
            y={HEIGHT - 5}
            textAnchor="middle"
          >
            {layer}
          </text>
          <rect
            className={styles.windowed}
            x={xOf(layer)}
            y={margin.top}
            width={band}
            height={HEIGHT - margin.bottom - margin.top}
          >
            <title>{reason}</title>
          </rect>
        </g>
      ))}
      {layers.map(({ layer, massRecall, heads, title, by }) => {
        const left = xOf(layer) ?? 0;
        return (
          <Stale as="g" key={layer} by={by} className={styles.layer}>
            <text
              data-shown={layer === shownLayer || undefined}
              x={left + band / 2}
              y={HEIGHT - 5}
              textAnchor="middle"
            >
              {layer}
            </text>
            <line
              className={styles.mean}
              x1={left}
              x2={left + band}
              y1={yOf(massRecall)}
              y2={yOf(massRecall)}
            />
            {heads.map(({ head, massRecall: recall }) => (
              // biome-ignore lint/a11y/noStaticElementInteractions: the thumbnails are the way by keyboard
              <circle
                key={head}
                className={styles.head}
                data-shown={(layer === shownLayer && head === shownHead) || undefined}
                cx={left + (band * (head + 0.5)) / heads.length}
                cy={yOf(recall)}
                r={3}
                onClick={() => actions.setView({ layer, head }, true)}
              >
                <title>{`${title}, layer ${layer}, head ${head}: ${formatPercent(recall)}`}</title>
              </circle>
            ))}
          </Stale>
        );
      })}
    </Chart>
  );
}

function recallTable(layers: readonly ShownLayer[]): Table {
  const heads = layers[0]?.heads.map(({ head }) => `head ${head}`) ?? [];
  return {
    columns: [
      'layer',
      'measured with',
      'mass recall',
      'own mass recall',
      'top-k recall',
      'by chance',
      'queries × heads with top-k recall',
      'output error',
      ...heads,
    ],
    rows: layers.map((layer) => [
      String(layer.layer),
      layer.title,
      layer.massRecall,
      layer.ownMassRecall,
      layer.topkRecall,
      layer.topkChance,
      layer.topkRows,
      layer.outputError,
      ...layer.heads.map((head) => head.massRecall),
    ]),
  };
}
