import { useEffect, useState } from 'react';
import type { QueryRow } from '../../src/measure/results';
import { keptIn } from '../../src/page/explain/explain-key';
import { useMapPositions, usePageState, useRowBy } from '../../src/page/hooks';
import { shownTexts } from '../../src/page/shown-texts';
import { chosenQuery } from '../../src/page/state';
import type { TextFacts } from '../../src/study/facts';
import { selectCommand } from '../shared/command';
import { invisibleName } from '../shared/format';
import { Panel } from '../shared/Panel';
import { rowTable } from '../shared/row-table';
import { Term } from '../shared/Term';
import { Empty, TokenName } from '../shared/Text';
import { NeedleChips } from './NeedleChips';
import { Overview } from './Overview';
import styles from './TokenPanel.module.css';
import { TokenStrip } from './TokenStrip';
import { valueTokens } from './token-look';

/** The text under study as the chosen query sees it. */
export function TokenPanel() {
  const text = usePageState('text');
  const row = usePageState('row');
  const query = usePageState(chosenQuery);
  const by = useRowBy(row);
  const { isVoid } = useMapPositions();
  const [target, setTarget] = useState<{ token: number } | null>(null);
  const jump = (token: number) => setTarget({ token });

  const first = text && row ? firstOfInterest(text, row) : null;
  const isReady = first !== null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each text, not for every new row
  useEffect(() => {
    if (first !== null) setTarget({ token: first });
  }, [text, isReady]);

  if (!text || query === null) {
    return (
      <Panel title="Text" name="tokens" className={styles.panel}>
        <Empty>The text appears as soon as it has been read.</Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title="Text"
      name="tokens"
      className={styles.panel}
      isAsideWide
      aside={<Caption text={text} query={query} />}
      by={by}
      copy={{
        what: 'what the chosen query sees',
        table: () => rowTable(row, shownTexts(text)),
        by: () => by,
        command: selectCommand,
      }}
    >
      <NeedleChips needles={text.needles} row={row} onJump={jump} />
      <div className={styles.pictures} data-void={isVoid || undefined}>
        <Overview text={text} row={row} onJump={jump} />
        <TokenStrip text={text} row={row} query={query} target={target} />
      </div>
    </Panel>
  );
}

const weightHelp = {
  model: 'Full attention’s weight of each token for this query',
  own: 'Each token’s weight for this query under the method’s own positions',
  cache: 'Past the trained length, with positions in the cache, dropped tokens have none to be weighed at',
} as const;

function Caption({ text, query }: { text: TextFacts; query: number }) {
  const { whose } = useMapPositions();
  const token = shownTexts(text)[query] ?? '';
  const invisible = invisibleName(token);
  const place = query === text.answerStart ? ' before the answer' : '';
  return (
    <span className={styles.caption}>
      <span>
        as {invisible === null ? <TokenName text={token} /> : `the ${invisible}${place}`} sees it, query{' '}
        {query.toLocaleString('en')}
      </span>
      <span className={styles.legend}>
        <Term name="kept" className={styles.sign}>
          <i data-legend="kept">kept</i>
        </Term>
        <Term name="sink" className={styles.sign}>
          <i data-legend="part">initial, local</i>
        </Term>
        <Term name="missed" className={styles.sign}>
          <i data-legend="missed">missed</i>
        </Term>
        <Term name="needle" className={styles.sign}>
          <i data-legend="needle">needle</i>
        </Term>
        <span title={weightHelp[whose]}>{whose === 'cache' ? 'no weights' : 'shade: weight'}</span>
      </span>
    </span>
  );
}

/** The first needle asked for whose value is not wholly seen, otherwise the first one asked for, otherwise the start. */
function firstOfInterest({ needles, tokenTexts }: TextFacts, row: QueryRow): number {
  const asked = needles.filter((needle) => needle.asked);
  const lost = asked.find((needle) => {
    const value = valueTokens(needle, tokenTexts);
    return keptIn(row, value) < value.end - value.start;
  });
  return (lost ?? asked[0])?.start ?? 0;
}
