import { useState } from 'react';
import { useMeasured, usePage, usePageState } from '../../src/page/hooks';
import { NumberField } from '../method/NumberField';
import { formatCount } from '../shared/format';
import { Term } from '../shared/Term';

/** The queries that every number is a mean over; where they begin can be typed, 0 takes them all. */
export function QueriesRange() {
  const { actions } = usePage();
  const queries = useMeasured('cost')?.queries;
  const chosen = usePageState((state) => state.session.queriesStart);
  const [problem, setProblem] = useState<string | null>(null);
  const [typed, setTyped] = useState<number | null>(null);
  if (!queries) return null;
  const last = queries.end - 1;
  const type = (text: string): string | null => {
    const start = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(start <= last)) return `The first query must be a whole number from 0 to ${formatCount(last)}.`;
    setTyped(start);
    return null;
  };
  return (
    <div className="range">
      <Term name="queries">over queries</Term>
      <NumberField
        label="First query of the numbers"
        value={String(chosen ?? queries.start)}
        onType={type}
        onProblem={setProblem}
        onDone={() => typed !== null && typed !== (chosen ?? queries.start) && actions.setQueriesStart(typed)}
      />
      <span>to {formatCount(last)}</span>
      {chosen !== null && (
        <button type="button" className="text-button" onClick={() => actions.setQueriesStart(null)}>
          usual range
        </button>
      )}
      {problem !== null && <p className="problem">{problem}</p>}
    </div>
  );
}
