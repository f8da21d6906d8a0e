import { explainKey, type KeyExplanation } from '../../src/page/explain/explain-key';
import { useMapPositions, usePageState, useRowBy, useShownTexts, useView } from '../../src/page/hooks';
import { chosenQuery } from '../../src/page/state';
import { formatCount, formatRank, formatScore, formatWeight } from '../shared/format';
import { ruleOf, verdictOf } from '../shared/rule';
import { StaleLine } from '../shared/Stale';
import { Term } from '../shared/Term';
import { Empty, Hidden, TokenName } from '../shared/Text';
import styles from './ReadOut.module.css';
import { useRow } from './useRow';

/** Why the cell under the pointer was kept or missed. */
export function ReadOut() {
  const cell = usePageState('cell');
  const tokenTexts = useShownTexts();
  const chosen = usePageState(chosenQuery);
  const zoom = useView('zoom');
  if (!tokenTexts || (cell === null && chosen === null)) return null;
  if (cell && cell.key !== null) {
    return <CellRead query={cell.query} cellKey={cell.key} tokenTexts={tokenTexts} />;
  }
  if (zoom !== null) return null;
  return (
    <div className={styles.readOut}>
      <p className={styles.hint}>
        A row is a query, a column a key before it. Point at a cell to learn why it was kept or missed; click
        to choose its query; wheel or pinch to zoom.
      </p>
    </div>
  );
}

interface CellReadProps {
  query: number;
  cellKey: number;
  tokenTexts: readonly string[];
}

function CellRead({ query, cellKey, tokenTexts }: CellReadProps) {
  const row = useRow(query);
  const by = useRowBy(row);
  return (
    <div className={styles.readOut}>
      <p className={styles.pair}>
        <TokenName text={tokenTexts[query] ?? ''} /> <span className={styles.arrow}>→</span>{' '}
        <TokenName text={tokenTexts[cellKey] ?? ''} />
        <small>
          query {formatCount(query)}, key {formatCount(cellKey)}
        </small>
      </p>
      <StaleLine by={by} />
      {row ? <KeyExplained why={explainKey(row, cellKey)} /> : <Empty>…</Empty>}
    </div>
  );
}

/** The numbers that decided, and the rule in words. */
function KeyExplained({ why }: { why: KeyExplanation }) {
  const { positions, weight, weightRank, visible, score, rule } = why;
  const { isVoid } = useMapPositions();
  return (
    <dl className={styles.why} aria-live="polite">
      {positions !== 'cache' && (
        <>
          <dt>{positions === 'own' ? 'weight, own positions' : 'full weight'}</dt>
          <dd data-grey={isVoid || undefined}>
            {formatWeight(weight)}{' '}
            <small>
              {formatRank(weightRank)} of {formatCount(visible)}
            </small>
          </dd>
        </>
      )}
      {score && (
        <>
          <dt>score</dt>
          <dd>
            {formatScore(score.value)}{' '}
            <small>
              {formatRank(score.rank)} of {formatCount(score.of)}
              {score.partition && ' in its partition'}
              {rule.unit?.tokens && ` ${rule.unit.name}s`}
            </small>
          </dd>
        </>
      )}
      {score && score.cut !== null && (
        <>
          <dt>{rule.threshold === undefined ? 'at the cut' : 'threshold'}</dt>
          <dd>
            {formatScore(score.cut)}{' '}
            <small>
              {formatCount(score.kept)}
              {rule.unit?.tokens && ` ${rule.unit.name}s`} kept
            </small>
          </dd>
        </>
      )}
      {score?.second && (
        <>
          <dt>second score</dt>
          <dd>
            {formatScore(score.second.value)} <small>at the cut {formatScore(score.second.cut)}</small>
          </dd>
        </>
      )}
      {score && score.tied !== null && (
        <>
          <dt>
            <Term name="tied">tied</Term>
          </dt>
          <dd>
            {formatCount(score.tied)}{' '}
            <small>the {rule.unit ? `earlier ${rule.unit.name}` : 'lower token'} first</small>
          </dd>
        </>
      )}
      <Hidden as="dt">rule</Hidden>
      <dd className={styles.rule} data-verdict={verdictOf(why)}>
        {ruleOf(why)}
      </dd>
    </dl>
  );
}
