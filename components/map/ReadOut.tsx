import { explainKey, type KeyExplanation } from '../../src/page/explain/explain-key';
import { useMapPositions, usePageState, useRowProvenance } from '../../src/page/hooks';
import { shownTexts } from '../../src/page/shown-texts';
import { chosenQuery } from '../../src/page/state';
import { formatCount, formatRank, formatScore, formatWeight } from '../shared/format';
import { StaleLine } from '../shared/Panel';
import { ruleOf, verdictOf } from '../shared/rule';
import { Term } from '../shared/Term';
import { Empty, Hidden, TokenName } from '../shared/Text';
import styles from './ReadOut.module.css';
import { useRow } from './useRow';

/** Why the cell under the pointer was kept or missed. */
export function ReadOut() {
  const cell = usePageState((state) => state.cell);
  const tokenTexts = usePageState(({ text }) => (text ? shownTexts(text) : undefined));
  const chosen = usePageState(chosenQuery);
  const isZoomed = usePageState((state) => state.session.view.zoom !== null);
  const query = cell?.query ?? chosen;
  const row = useRow(cell ? cell.query : null);
  const provenance = useRowProvenance(row);
  if (!tokenTexts || query === null) return null;
  if (!cell || cell.key === null) {
    if (isZoomed) return null;
    return (
      <div className={styles.readOut}>
        <p className={styles.hint}>
          A row is a query, a column a key before it. Point at a cell to learn why it was kept or missed;
          click to choose its query; wheel or pinch to zoom.
        </p>
      </div>
    );
  }
  return (
    <div className={styles.readOut}>
      <p className={styles.pair}>
        <TokenName text={tokenTexts[query] ?? ''} /> <span className={styles.arrow}>→</span>{' '}
        <TokenName text={tokenTexts[cell.key] ?? ''} />
        <small>
          query {formatCount(query)}, key {formatCount(cell.key)}
        </small>
      </p>
      <StaleLine provenance={provenance} />
      {row ? <KeyExplained why={explainKey(row, cell.key)} /> : <Empty>…</Empty>}
    </div>
  );
}

/** The numbers that decided, and the rule in words. */
function KeyExplained({ why }: { why: KeyExplanation }) {
  const { positions, weight, weightRank, visible, score } = why;
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
            </small>
          </dd>
        </>
      )}
      {score && score.cut !== null && (
        <>
          <dt>at the cut</dt>
          <dd>
            {formatScore(score.cut)} <small>{formatCount(score.kept)} kept</small>
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
            {formatCount(score.tied)} <small>the lower token first</small>
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
