import { usePageState, useRowProvenance } from '../../src/session/hooks';
import { chosenQuery } from '../../src/session/page-state';
import { type Why, whyOf } from '../../src/session/why';
import { formatCount, formatRank, formatScore, formatWeight } from '../shared/format';
import { StaleName } from '../shared/Panel';
import { TokenName } from '../shared/TokenName';
import { useRow } from './useRow';

/** Why the cell under the pointer was kept or missed. */
export function ReadOut() {
  const cell = usePageState((state) => state.cell);
  const tokenTexts = usePageState((state) => state.text?.tokenTexts);
  const chosen = usePageState(chosenQuery);
  const isZoomed = usePageState((state) => state.session.view.zoom !== null);
  const query = cell?.query ?? chosen;
  const row = useRow(cell ? cell.query : null);
  const provenance = useRowProvenance(row);
  if (!tokenTexts || query === null) return null;
  if (!cell || cell.key === null) {
    if (isZoomed) return null;
    return (
      <div className="read-out read-out-hint">
        <p>
          A row is a query, a column a key before it. Point at a cell to learn why it was kept or missed;
          click to choose its query; wheel or pinch to zoom.
        </p>
      </div>
    );
  }
  return (
    <div className="read-out">
      <p className="read-out-pair">
        <TokenName text={tokenTexts[query] ?? ''} /> <span className="arrow">→</span>{' '}
        <TokenName text={tokenTexts[cell.key] ?? ''} />
        <small>
          query {formatCount(query)}, key {formatCount(cell.key)}
        </small>
      </p>
      {provenance?.isStale && (
        <p className="stale-line">
          <StaleName by={provenance.by} />
        </p>
      )}
      {row ? <WhyList why={whyOf(row, cell.key)} /> : <p className="empty">…</p>}
    </div>
  );
}

/** The numbers that decided, and the rule in words. */
export function WhyList({ why }: { why: Why }) {
  const { weight, weightRank, visible, score, scoreRank, scored, scoreAtCut } = why;
  return (
    <dl className="why">
      <dt>full weight</dt>
      <dd>
        {formatWeight(weight)}{' '}
        <small>
          {formatRank(weightRank)} of {formatCount(visible)}
        </small>
      </dd>
      {score !== null && scoreRank !== null && (
        <>
          <dt>score</dt>
          <dd>
            {formatScore(score)}{' '}
            <small>
              {formatRank(scoreRank)} of {formatCount(scored)}
            </small>
          </dd>
        </>
      )}
      {score !== null && scoreAtCut !== null && (
        <>
          <dt>at the cut</dt>
          <dd>{formatScore(scoreAtCut)}</dd>
        </>
      )}
      <dt className="visually-hidden">rule</dt>
      <dd className="why-rule" data-verdict={verdictOf(why)}>
        {ruleOf(why)}
      </dd>
    </dl>
  );
}

function verdictOf({ fate, isMissed }: Why): 'kept' | 'missed' | 'dropped' {
  if (isMissed) return 'missed';
  return fate === 'dropped' || fate === 'future' ? 'dropped' : 'kept';
}

/** The rule that kept or dropped a key, as a sentence. */
export function ruleOf({ fate, isMissed, score, scoreAtCut, tied }: Why): string {
  const lead = isMissed ? 'missed' : 'dropped';
  switch (fate) {
    case 'future':
      return 'not seen: it comes after the query';
    case 'own-block':
      return 'kept: in the query’s own block';
    case 'local':
      return 'kept: in the local window';
    case 'sink':
      return 'kept: one of the initial tokens';
    case 'selected':
      return tied === null
        ? 'kept: selected by its score'
        : `kept: won a tie of ${formatCount(tied)} at the cut`;
    default:
      if (score === null) return `${lead}: the method keeps no such key`;
      if (tied !== null) return `${lead}: lost a tie of ${formatCount(tied)} at the cut`;
      return score === scoreAtCut
        ? `${lead}: as high as the cut, behind by the score that breaks ties`
        : `${lead}: score below the cut`;
  }
}
