import { useState } from 'react';
import { usePage, usePageState } from '../../src/session/hooks';
import { isPastTrained, summarise } from '../../src/session/summary';
import type { SweepCurve } from '../../src/study/types';
import { sweepCommand } from '../shared/command';
import { DataTable } from '../shared/DataTable';
import { formatPercent } from '../shared/format';
import { Panel } from '../shared/Panel';
import { Term } from '../shared/Term';
import type { Table } from '../shared/table';
import { SweepChart } from './SweepChart';

/** Recall against kept keys, for this method and the pinned ones. */
export function SweepPanel() {
  const { findMethod } = usePage();
  const sweep = usePageState((state) => state.measurements?.sweep ?? null);
  const measurements = usePageState((state) => state.measurements);
  const isStale = usePageState((state) => state.stale.has('sweep'));
  const isRunning = usePageState((state) => state.running);
  const isPast = usePageState((state) => isPastTrained(state.text, state.model));
  const [isTableShown, showTable] = useState(false);
  const titleOf = (curve: SweepCurve) => findMethod(curve.method.id)?.title ?? curve.method.id;
  if (!sweep) {
    return (
      <Panel title="Recall against kept keys" className="panel-sweep">
        <p className="empty">{isRunning ? 'Not swept yet.' : 'The run did not come this far.'}</p>
      </Panel>
    );
  }
  const table = () => sweepTable(sweep, titleOf);
  const summary = summarise(measurements);
  const floor = sweep
    .find((curve) => curve.current)
    ?.points.find((point) => point.floor !== undefined)?.floor;
  return (
    <Panel
      title={<Term name="sweep">Recall against kept keys</Term>}
      className="panel-sweep"
      aside={isPast && 'past the trained length'}
      isStale={isStale}
      copy={{
        what: 'recall against kept keys',
        table,
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
        current={summary && { kept: summary.kept, massRecall: summary.massRecall }}
        isGrey={isPast}
      />
      {floor !== undefined && (
        <p className="range">
          <Term name="floor">keeps at least</Term> {formatPercent(floor)} with these parameters
        </p>
      )}
      {isTableShown && <DataTable table={table()} caption="Mass recall at each kept fraction, shares of 1" />}
    </Panel>
  );
}

export function sweepTable(sweep: readonly SweepCurve[], titleOf: (curve: SweepCurve) => string): Table {
  return {
    columns: ['method', 'asked to keep', 'kept', 'mass recall', 'floor'],
    rows: sweep.flatMap((curve) =>
      curve.points.map((point) => [
        titleOf(curve),
        point.keep,
        point.kept,
        point.massRecall,
        point.floor ?? null,
      ]),
    ),
  };
}
