import { useMemo, useState } from 'react';
import type { MethodFacts } from '../../src/measure/method-facts';
import { methodsNotRun } from '../../src/methods/not-run';
import { METHOD_GROUPS } from '../../src/methods/what-methods-do';
import { useMethod, usePage, useTextLength } from '../../src/page/hooks';
import { setName, setNames, unitName } from '../../src/page/method-words';
import { Button } from '../shared/Button';
import { Dialog } from '../shared/Dialog';
import { formatCount, formatOperations, formatPercent } from '../shared/format';
import { citationText } from './citation';
import styles from './MethodTable.module.css';
import { useMethodFacts } from './use-method-facts';

interface Column {
  readonly name: string;
  readonly help: string;
  readonly show: (facts: MethodFacts) => string;
  /** What rows are sorted by. */
  readonly by: (facts: MethodFacts) => string | number;
  readonly isNumber?: boolean;
}

const NOTHING = '–';
const groupPlace = ({ does }: MethodFacts): number => METHOD_GROUPS.findIndex((group) => group.does === does);

const columns: readonly Column[] = [
  {
    name: 'Does',
    help: 'The group of the list.',
    show: (facts) => METHOD_GROUPS[groupPlace(facts)]!.title,
    by: groupPlace,
  },
  {
    name: 'Evicts',
    help: 'Whether a key that was dropped stays dropped.',
    show: ({ evicts }) => (evicts ? 'yes' : 'no'),
    by: ({ evicts }) => (evicts ? 0 : 1),
  },
  {
    name: 'Granularity',
    help: 'What stays or goes together.',
    show: (facts) => unitName(facts) ?? NOTHING,
    by: ({ unit }) => (typeof unit === 'number' ? unit : unit === null ? 0 : Number.MAX_SAFE_INTEGER),
  },
  {
    name: 'Per head',
    help: 'Whom one set of kept keys is for.',
    show: (facts) => setName(facts) ?? NOTHING,
    by: (facts) => setNames.indexOf(setName(facts) ?? ''),
  },
  {
    name: 'Phase',
    help: 'Whose queries see less than all: those of the prompt (prefill), those after the eviction (decode), or both.',
    show: ({ phase }) => phase ?? NOTHING,
    by: ({ phase }) => phase ?? '',
  },
  {
    name: 'Needs',
    help: 'What it looks at beside the block’s queries, keys and values.',
    show: ({ needs }) => needs.join(', ') || NOTHING,
    by: ({ needs }) => needs.join(', '),
  },
  {
    name: 'Keys seen',
    help: 'Of the text’s last query, mean over layers.',
    show: ({ kept }) => formatPercent(kept),
    by: ({ kept }) => kept,
    isNumber: true,
  },
  {
    name: 'Operations per query',
    help: 'Scoring and attention of that query, all layers, and as a share of full attention’s. What an eviction takes once is no part of them.',
    show: ({ operations, operationsShare }) =>
      `${formatOperations(operations)} · ${formatPercent(operationsShare)}`,
    by: ({ operations }) => operations,
    isNumber: true,
  },
  {
    name: 'Eviction',
    help: 'Operations that an eviction takes once for the text, all layers, however many queries follow: scores that keys are evicted by.',
    show: ({ onceOperations }) => (onceOperations > 0 ? formatOperations(onceOperations) : NOTHING),
    by: ({ onceOperations }) => onceOperations,
    isNumber: true,
  },
  {
    name: 'Bytes read',
    help: 'From the caches for that query, as a share of what full attention reads.',
    show: ({ readShare }) => formatPercent(readShare),
    by: ({ readShare }) => readShare,
    isNumber: true,
  },
];

const title: Column = {
  name: 'Method',
  help: 'Chooses it.',
  show: (facts) => facts.title,
  by: (facts) => facts.title.toLowerCase(),
};

interface Order {
  /** Null: as in the list. */
  readonly column: Column | null;
  readonly isDescending: boolean;
}

interface MethodTableProps {
  onClose: () => void;
  /** Once it is gone: what opened it is gone, too, so the focus goes where the caller says. */
  onClosed: () => void;
}

/** All methods side by side, in a dialog; a row chooses its method. */
export function MethodTable({ onClose, onClosed }: MethodTableProps) {
  const { actions } = usePage();
  const chosen = useMethod().id;
  const tokens = useTextLength();
  const [order, setOrder] = useState<Order>({ column: null, isDescending: false });
  const allFacts = useMethodFacts();
  const facts = useMemo(() => [...allFacts()].sort((a, b) => groupPlace(a) - groupPlace(b)), [allFacts]);
  const rows = useMemo(() => sorted(facts, order), [facts, order]);
  const sortBy = (column: Column) =>
    setOrder((before) => ({
      column,
      isDescending: before.column === column ? !before.isDescending : false,
    }));
  return (
    <Dialog
      title="Methods side by side"
      about={`At their defaults for ${formatCount(tokens)} tokens, by formula: nothing here is measured. A row’s name chooses the method.`}
      onClose={onClose}
      onClosed={onClosed}
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
      <section className={styles.table} tabIndex={0} aria-label="Table of methods">
        <table>
          <thead>
            <tr>
              {[title, ...columns].map((column) => (
                <th
                  key={column.name}
                  scope="col"
                  title={column.help}
                  data-number={column.isNumber}
                  aria-sort={
                    order.column === column ? (order.isDescending ? 'descending' : 'ascending') : 'none'
                  }
                >
                  <Button kind="text" className={styles.sort} onClick={() => sortBy(column)}>
                    {column.name}
                  </Button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr
                key={row.id}
                onClick={() => {
                  actions.setMethod(row.id);
                  onClose();
                }}
              >
                <th scope="row">
                  <button type="button" className={styles.choose} aria-current={row.id === chosen}>
                    {row.title}
                  </button>
                </th>
                {columns.map((column) => (
                  <td key={column.name} data-number={column.isNumber}>
                    {column.show(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        <h3>Not run here</h3>
        <ul className={styles.others}>
          {methodsNotRun.map((entry) => (
            <li key={entry.id}>
              <a href={entry.url} target="_blank" rel="noreferrer">
                {citationText({ title: entry.title, source: entry })}
              </a>
              <p>
                {entry.summary} {entry.reason}
              </p>
            </li>
          ))}
        </ul>
      </section>
    </Dialog>
  );
}

function sorted(facts: readonly MethodFacts[], { column, isDescending }: Order): readonly MethodFacts[] {
  if (!column) return facts;
  const sign = isDescending ? -1 : 1;
  return [...facts].sort((a, b) => {
    const [x, y] = [column.by(a), column.by(b)];
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  });
}
