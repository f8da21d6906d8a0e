import type { ReactNode } from 'react';
import type { CostMeasurement } from '../../src/measure/results';
import { useIsPast, useMeasured, useMeasuredBy, usePage } from '../../src/page/hooks';
import { isFull, positionsOf } from '../../src/page/map-positions';
import { type Summary, summarise } from '../../src/page/summary';
import type { FreeRunMeasurement } from '../../src/study/results';
import { pointCommand } from '../shared/command';
import { formatBytes, formatOperations, formatPercent, formatRatio } from '../shared/format';
import type { GlossaryTerm } from '../shared/glossary';
import { NothingDropped } from '../shared/NothingDropped';
import { Panel } from '../shared/Panel';
import { Term } from '../shared/Term';
import { Empty } from '../shared/Text';
import type { Table } from '../shared/table';
import styles from './KeptPanel.module.css';
import { TimeLine } from './TimeLine';

/** What the selection keeps, what it saves, and what it loses. */
export function KeptPanel() {
  const layers = useMeasured('layers');
  // Of the choice that the layers are of: one panel never shows two.
  const cost = useMeasuredBy('cost', layers?.by ?? null);
  const freeRun = useMeasuredBy('freeRun', layers?.by ?? null);
  const isPast = useIsPast();
  const { findMethod } = usePage();
  const summary = summarise(layers?.value ?? null);
  const by = layers?.by.method;
  const positions = by ? positionsOf(by, findMethod) : 'model';
  if (!summary) {
    return (
      <Panel title="Kept and lost" name="kept">
        <Empty>Nothing measured yet.</Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title="Kept and lost"
      name="kept"
      by={layers?.by ?? null}
      copy={{
        what: 'kept and lost',
        table: () => costTable(summary, cost, freeRun),
        by: () => layers?.by ?? null,
        command: pointCommand,
      }}
    >
      <div className={styles.figures}>
        {isPast && positions === 'own' && summary.ownMassRecall !== null ? (
          <Figure value={formatPercent(summary.ownMassRecall)}>
            <Term name="ownMassRecall">own mass recall</Term>, mean
          </Figure>
        ) : summary.massRecall === null ? (
          <Figure value={formatPercent(summary.outputError)} isGrey={isPast}>
            <Term name="outputError">output error</Term>, mean
          </Figure>
        ) : (
          <Figure value={formatPercent(summary.massRecall)} isGrey={isPast}>
            <Term name="massRecall">mass recall</Term>, mean
          </Figure>
        )}
        <Figure value={formatPercent(summary.kept)} of={summary.reason === null ? 'of keys' : 'of rows'}>
          <Term name="keptShare">kept</Term>, mean
        </Figure>
        {cost && <OperationsFigure cost={cost} at={countedAt(summary, cost)} />}
      </div>
      <NothingDropped className={styles.note} />
      {summary.reason !== null && <p className={styles.note}>{summary.reason}</p>}
      <dl className={styles.rows}>
        {[...recallRows(summary, positions, isPast), ...costRows(summary, cost)].map(
          ({ term, label, value, isAgainstFull }) => (
            <div key={label} data-grey={(isPast && isAgainstFull) || undefined}>
              <dt>
                <Term name={term}>{label}</Term>
              </dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
      {freeRun && by && !isFull(by, findMethod) && <TimeLine time={freeRun.time} by={layers?.by ?? null} />}
    </Panel>
  );
}

interface FigureProps {
  value: string;
  of?: string;
  isGrey?: boolean;
  children: ReactNode;
}

function Figure({ value, of, isGrey = false, children }: FigureProps) {
  return (
    <div className={styles.figure} data-grey={isGrey || undefined}>
      <p className={styles.value}>
        {value} {of && <small>{of}</small>}
      </p>
      <p className={styles.label}>{children}</p>
    </div>
  );
}

/** Means of methods whose formulas count what they keep differ by less. */
const OTHER_SHARE = 0.005;

/** What the operations are counted for, where that is not what was measured: a threshold keeps as much as it finds. */
function countedAt({ kept, reason }: Summary, { density }: CostMeasurement): string {
  return reason === null && Math.abs(density - kept) > OTHER_SHARE
    ? `, at ${formatPercent(density)} kept`
    : '';
}

function OperationsFigure({ cost, at }: { cost: CostMeasurement; at: string }) {
  const used = cost.selectionOperations + cost.attentionOperations;
  const ratio = cost.fullAttentionOperations / used;
  const { value, word } = formatRatio(ratio, ['fewer', 'more']);
  return (
    <Figure value={value} of={word}>
      <Term name="operations">operations</Term> per query, by formula{at}
    </Figure>
  );
}

interface CostRow {
  readonly term: GlossaryTerm;
  readonly label: string;
  readonly value: string;
  /** Full attention is the yardstick, which it no longer is past the trained length. */
  readonly isAgainstFull?: boolean;
}

/** Recall that the headline does not give. */
function recallRows(summary: Summary, positions: 'model' | 'own' | 'cache', isPast: boolean): CostRow[] {
  if (summary.massRecall === null) return [];
  if (positions === 'cache') {
    return [{ term: 'ownMassRecall', label: 'own mass recall', value: '–: dropped keys have no position' }];
  }
  if (positions !== 'own' || summary.ownMassRecall === null) return [];
  return isPast
    ? [
        {
          term: 'massRecall',
          label: 'mass recall, model’s positions',
          value: formatPercent(summary.massRecall),
          isAgainstFull: true,
        },
      ]
    : [{ term: 'ownMassRecall', label: 'own mass recall', value: formatPercent(summary.ownMassRecall) }];
}

/** Where heads have no candidates to choose among, it says of how many the mean is. */
function topkText({ topkChance, topkHeads, heads }: Summary, topkRecall: number): string {
  const chance = topkChance === null ? '' : `, by chance ${formatPercent(topkChance)}`;
  const of = topkHeads === heads ? '' : `, ${topkHeads} of ${heads} heads`;
  return `${formatPercent(topkRecall)}${chance}${of}`;
}

function costRows(summary: Summary, cost: CostMeasurement | null): CostRow[] {
  const rows: CostRow[] = [
    {
      term: 'outputError',
      label: 'output error',
      value: formatPercent(summary.outputError),
      isAgainstFull: true,
    },
    ...(summary.outputErrorProjected === null
      ? []
      : [
          {
            term: 'outputErrorProjected' as const,
            label: 'the same after output projection',
            value: formatPercent(summary.outputErrorProjected),
            isAgainstFull: true,
          },
        ]),
  ];
  if (summary.topkRecall !== null) {
    rows.push({
      term: 'topkRecall',
      label: 'top-k recall',
      value: topkText(summary, summary.topkRecall),
      isAgainstFull: true,
    });
  }
  if (cost) {
    rows.push(
      {
        term: 'operations',
        label: `attention, operations per query${countedAt(summary, cost)}`,
        value: `${formatOperations(cost.selectionOperations + cost.attentionOperations)} of ${formatOperations(cost.fullAttentionOperations)}`,
      },
      ...(cost.onceOperations
        ? [
            {
              term: 'onceOperations' as const,
              label: 'plus, once per text',
              value: formatOperations(cost.onceOperations),
            },
          ]
        : []),
      ...(cost.paperOperations
        ? [
            {
              term: 'paperOperations' as const,
              label: 'attention, as the paper counts it',
              value: `${formatOperations(cost.paperOperations.method)} of ${formatOperations(cost.paperOperations.full)}`,
            },
          ]
        : []),
      {
        term: 'operations',
        label: 'whole forward pass',
        value: `${formatOperations(cost.forwardOperations)} of ${formatOperations(cost.forwardOperationsFull)}`,
      },
      {
        term: 'readBytes',
        label: 'read by a decode step',
        value: `${formatBytes(cost.decodeReadBytes)} of ${formatBytes(cost.decodeReadBytesFull)}`,
      },
    );
  }
  return rows;
}

/** Every number of a cost by its name. */
function costNumbers(cost: CostMeasurement | null): [string, number | null][] {
  if (!cost) return [];
  const { paperOperations, ...numbers } = cost;
  return [
    ...Object.entries(numbers),
    ['paperOperationsFull', paperOperations?.full ?? null],
    ['paperOperations', paperOperations?.method ?? null],
  ];
}

function costTable(
  summary: Summary,
  cost: CostMeasurement | null,
  freeRun: FreeRunMeasurement | null,
): Table {
  const time = freeRun?.time ?? null;
  const rows: [string, number | string | null][] = [
    ...Object.entries(summary),
    ...costNumbers(cost),
    ['attention of the prompt, median ms', time?.method.milliseconds ?? null],
    ['full attention of the prompt, median ms', time?.full.milliseconds ?? null],
    ['clock of the times', time && (time.full.clock === 'timestamp' ? 'GPU' : 'wall')],
    ['full attention’s time ÷ the method’s, median', time?.ratio.median ?? null],
    ['lowest of the pairs', time?.ratio.low ?? null],
    ['highest of the pairs', time?.ratio.high ?? null],
  ];
  return { columns: ['what', 'value'], rows };
}
