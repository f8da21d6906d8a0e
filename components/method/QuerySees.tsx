import type { KeyFate } from '../../src/measure/results';
import { countFates } from '../../src/page/explain/explain-key';
import { usePageState, useRowBy } from '../../src/page/hooks';
import { formatCount, formatPercent } from '../shared/format';
import type { GlossaryTerm } from '../shared/glossary';
import { Stale, StaleLine } from '../shared/Stale';
import { Term } from '../shared/Term';
import { Empty } from '../shared/Text';
import styles from './QuerySees.module.css';

interface Part {
  readonly fate: KeyFate;
  readonly label: string;
  readonly term: GlossaryTerm;
}

/** In the order of the text. */
const parts: readonly Part[] = [
  { fate: 'sink', label: 'initial', term: 'sink' },
  { fate: 'selected', label: 'selected', term: 'selected' },
  { fate: 'undecided', label: 'earlier, all kept', term: 'undecided' },
  { fate: 'dropped', label: 'dropped', term: 'dropped' },
  { fate: 'mixed', label: 'mixed', term: 'mixed' },
  { fate: 'local', label: 'local', term: 'local' },
  { fate: 'since', label: 'read since', term: 'since' },
  { fate: 'own-block', label: 'own block', term: 'ownBlock' },
];

/** What the chosen query sees of the text before it, by the rule that decided. */
export function QuerySees() {
  const row = usePageState('row');
  const by = useRowBy(row);
  if (!row) return <Empty>Nothing read yet.</Empty>;
  const counts = countFates(row);
  const isDrawn = row.rule.kind === 'lot';
  const seen = row.query + 1 - counts.dropped - counts.mixed;
  const shown = parts.filter(({ fate }) => counts[fate] > 0);
  return (
    <>
      <StaleLine by={by} />
      <Stale as="div" by={by} className={styles.sees}>
        <div className={styles.bar} aria-hidden="true">
          {shown.map(({ fate }) => (
            <span key={fate} data-fate={fate} style={{ flexGrow: counts[fate] }} />
          ))}
        </div>
        <p className={styles.sum}>
          Query {formatCount(row.query)} sees {formatCount(seen)} of {formatCount(row.query + 1)} keys,{' '}
          {formatPercent(seen / (row.query + 1))}
          {counts.mixed > 0 && ', and mixtures of the others'}.
        </p>
        <dl className={styles.counts}>
          {shown.map(({ fate, label, term }) => (
            <div key={fate}>
              <dt data-fate={fate}>
                <Term name={term}>{isDrawn && fate === 'selected' ? 'drawn' : label}</Term>
              </dt>
              <dd>{formatCount(counts[fate])}</dd>
            </div>
          ))}
        </dl>
      </Stale>
    </>
  );
}
