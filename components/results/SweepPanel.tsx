import { useState } from 'react';
import type { SweepCurve, SweepPoint } from '../../src/measure/results';
import { methodKey } from '../../src/methods/method-spec';
import { useIsPast, useMeasured, usePage, usePageState } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import { isAnswerTelling, type Summary, summarise } from '../../src/page/summary';
import { Button } from '../shared/Button';
import { sweepCommand } from '../shared/command';
import { DataTable } from '../shared/DataTable';
import { formatPercent } from '../shared/format';
import { Panel } from '../shared/Panel';
import { AtRest } from '../shared/Stale';
import { Term } from '../shared/Term';
import { Empty } from '../shared/Text';
import type { Table } from '../shared/table';
import { answerWord, SweepChart, type SweepChartProps } from './SweepChart';
import styles from './SweepPanel.module.css';

/** Recall against kept keys, for this method and the pinned ones. */
export function SweepPanel() {
  const { findMethod } = usePage();
  const measured = useMeasured('sweep');
  const layers = useMeasured('layers');
  const isPast = useIsPast();
  const hasAnswers = (usePageState('text')?.answerStart ?? null) !== null;
  const isTelling = isAnswerTelling(useMeasured('freeRun')?.value.fullAnswer?.right, isPast);
  const [isTableShown, showTable] = useState(false);
  const titleOf = (curve: SweepCurve) => findMethod(curve.method.id)?.title ?? curve.method.id;
  if (!measured) {
    return (
      <Panel title="Recall against kept keys" name="sweep">
        <NotSwept />
      </Panel>
    );
  }
  const sweep = measured.value;
  const table = () => sweepTable(sweep, titleOf);
  // The point lies on the curve of its method, or not there at all.
  const isOnCurve = sweep.some(({ current, method }) => current && method.id === layers?.by.method.id);
  const summary = summarise(isOnCurve ? (layers?.value ?? null) : null);
  const floor = sweep
    .find((curve) => curve.current)
    ?.points.find((point) => point.floor !== undefined)?.floor;
  return (
    <Panel
      title={<Term name="sweep">Recall against kept keys</Term>}
      name="sweep"
      aside={isPast && 'past the trained length'}
      by={measured.by}
      copy={{
        what: 'recall against kept keys',
        table,
        by: () => measured.by,
        command: (study) =>
          sweepCommand(
            study,
            (sweep[0]?.points ?? []).map((point) => point.keep),
          ),
        isTableShown,
        showTable,
      }}
    >
      <SweepChart
        curves={sweep.map((curve) => ({ ...curve, title: titleOf(curve) }))}
        current={pointOf(summary)}
        currentBy={layers?.by ?? null}
        isGrey={isPast}
        isAnswered={hasAnswers && isTelling}
      />
      {hasAnswers && isTelling && <SweepAnswers sweep={sweep} by={measured.by} />}
      {hasAnswers && !isTelling && (
        <p className={styles.note}>
          Full attention itself does not answer this, so right and wrong say nothing about a method.
        </p>
      )}
      {sweep.filter(isUndrawn).map((curve) => (
        <p key={methodKey(curve.method)} className={styles.note}>
          {titleOf(curve)}: {curve.points.find(hasNoRecall)!.reason}
        </p>
      ))}
      {floor !== undefined && (
        <p className={styles.note}>
          <Term name="floor">keeps at least</Term> {formatPercent(floor)} with these parameters
        </p>
      )}
      {isTableShown && (
        <DataTable
          table={table()}
          caption="Mass recall at each kept fraction, shares of 1"
          by={measured.by}
        />
      )}
    </Panel>
  );
}

/** A point that was measured, but has no recall. */
const hasNoRecall = ({ kept, massRecall }: SweepPoint): boolean => kept !== null && massRecall === null;
const isUndrawn = ({ points }: SweepCurve): boolean => points.some(hasNoRecall);

function pointOf(summary: Summary | null): SweepChartProps['current'] {
  return summary && summary.massRecall !== null
    ? { kept: summary.kept, massRecall: summary.massRecall }
    : null;
}

function NotSwept() {
  const isRunning = usePageState('running');
  return <Empty>{isRunning ? 'Not swept yet.' : 'The run did not get this far.'}</Empty>;
}

/** What the points say, how far their answers are, and what else can be run. */
function SweepAnswers({ sweep, by }: { sweep: readonly SweepCurve[]; by: MeasuredBy }) {
  const { answerSweep } = usePage();
  const answering = usePageState('answering');
  const isOpen = (curve: SweepCurve): boolean =>
    curve.points.some((point) => point.kept !== null && answerWord(point) === 'not run');
  const hasOpen = sweep.some(isOpen);
  return (
    <p className={styles.note}>
      <Term name="sweepAnswer">answer</Term>: <i data-answer="right" /> right <i data-answer="wrong" /> wrong{' '}
      <i data-answer="not run" /> not run{' '}
      {answering && (
        <span role="status" className={styles.answering}>
          running answers: {answering.done} of {answering.total}
        </span>
      )}
      {!answering && hasOpen && (
        <AtRest by={by}>
          <Button kind="text" onClick={answerSweep}>
            run all answers
          </Button>
        </AtRest>
      )}
    </p>
  );
}

export function sweepTable(sweep: readonly SweepCurve[], titleOf: (curve: SweepCurve) => string): Table {
  return {
    columns: ['method', 'asked', 'kept', 'mass recall', 'answer', 'floor'],
    rows: sweep.flatMap((curve) =>
      curve.points.map((point) => [
        titleOf(curve),
        point.keep,
        point.kept,
        point.massRecall,
        point.kept === null ? null : answerWord(point),
        point.floor ?? null,
      ]),
    ),
  };
}
