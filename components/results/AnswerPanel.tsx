import { useState } from 'react';
import type { DivergencePart, LayerMeasurement } from '../../src/measure/results';
import { EVICTION_CHOICES, type EvictAfter, type Traits } from '../../src/methods/method';
import {
  useAllLayers,
  useEvictsAtQueries,
  useIsPast,
  useMeasured,
  usePage,
  usePageState,
  useSession,
} from '../../src/page/hooks';
import { isFull } from '../../src/page/map-positions';
import { isEverythingKept } from '../../src/page/nothing-dropped';
import type { FreeRunMeasurement } from '../../src/study/results';
import { evictAfterOf, queriesAfter } from '../../src/study/spec';
import { Button } from '../shared/Button';
import { evaluateCommand } from '../shared/command';
import { DataTable } from '../shared/DataTable';
import { ErrorText, NumberField, Select } from '../shared/Field';
import { formatCount } from '../shared/format';
import { Panel } from '../shared/Panel';
import { methodTitle } from '../shared/provenance';
import { Term } from '../shared/Term';
import { Empty } from '../shared/Text';
import type { Table } from '../shared/table';
import styles from './AnswerPanel.module.css';
import { AnswerTexts } from './AnswerTexts';
import { DivergenceNumbers, DivergenceStrip, divergenceTable } from './Divergence';

/** What the model answers with the method in every layer, next to what it answers with full attention. */
export function AnswerPanel() {
  const { findMethod } = usePage();
  const measured = useMeasured('freeRun');
  const freeRun = measured?.value ?? null;
  const text = usePageState('text');
  const isPast = useIsPast();
  const [isTableShown, showTable] = useState(false);
  // The method that answered, which may not be the one that is chosen now.
  const { id = '', parameters = {} } = measured?.by.method ?? {};
  const isFullShown = isFull({ id, parameters }, findMethod);
  const traits = findMethod(id)?.traits(parameters);
  const layers = useAllLayers(measured?.by ?? null);
  // There is nothing before query 0.
  const evictedAt = traits?.evictsAt ?? measured?.queries.start ?? 0;
  // A file may evict where no query stands any more.
  const queriesEnd = measured?.queries.end ?? 0;
  const title = measured ? methodTitle(measured.by.method, findMethod) : '';
  return (
    <Panel
      title="Answer"
      name="answer"
      by={measured?.by ?? null}
      aside={<Term name="freeRun">free run</Term>}
      {...(freeRun && {
        copy: {
          what: 'the answers',
          table: () => answerTable(freeRun, title),
          by: () => measured?.by ?? null,
          command: evaluateCommand,
          isTableShown,
          showTable,
        },
      })}
    >
      {!freeRun && <NoAnswer />}
      {freeRun && (
        <div className={styles.answer}>
          <AnswerTexts freeRun={freeRun} title={title} isFull={isFullShown} isPast={isPast} />
          <DivergenceNumbers freeRun={freeRun} isGrey={isPast} />
          {!isFullShown && text && freeRun.divergenceByToken.length > 0 && (
            <>
              <DivergenceStrip
                nats={freeRun.divergenceByToken}
                first={measured?.queries.start ?? 0}
                answerFrom={text.answerStart === null ? null : text.answerStart - 1}
                tokenTexts={text.tokenTexts}
                isGrey={isPast}
              />
              {isTableShown && (
                <DataTable
                  table={divergenceTable(
                    freeRun.divergenceByToken,
                    measured?.queries.start ?? 0,
                    text.tokenTexts,
                  )}
                  caption="Divergence of each query from full attention, nats"
                  by={measured?.by ?? null}
                />
              )}
            </>
          )}
          {traits?.decides === 'once' && layers && evictedAt > 0 && evictedAt < queriesEnd && (
            <p className={styles.remark}>
              Full attention read the text up to query {formatCount(evictedAt)}; there, once, the method{' '}
              {whatItDid(traits, layers)}.
            </p>
          )}
          <QueriesRange />
        </div>
      )}
    </Panel>
  );
}

/** Of one that evicts once: its cache may have room for all, or only channels go. */
function whatItDid({ cache }: Traits, layers: readonly LayerMeasurement[]): string {
  if (cache === 'pruned') return 'removed channels of the keys';
  return isEverythingKept(layers) ? 'had room for every key and dropped none' : 'dropped keys';
}

function NoAnswer() {
  const isRunning = usePageState('running');
  return (
    <Empty>
      {isRunning ? 'The model has not answered yet.' : 'No answer: the run did not get this far.'}
    </Empty>
  );
}

/** The queries that every number is a mean over; where they begin can be typed, 0 takes them all. */
function QueriesRange() {
  const { actions } = usePage();
  const queries = useMeasured('cost')?.queries;
  const chosen = useSession('queriesStart');
  const [error, setError] = useState<string | null>(null);
  const [typed, setTyped] = useState<number | null>(null);
  if (!queries) return null;
  const begin = typeof chosen === 'number' ? chosen : queries.start;
  const last = queries.end - 1;
  const type = (text: string): string | null => {
    const start = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(start <= last)) return `The first query must be a whole number from 0 to ${formatCount(last)}.`;
    setTyped(start);
    return null;
  };
  return (
    <div className={styles.range}>
      <span className={styles.together}>
        <Term name="queries">over queries</Term>
        <NumberField
          className={styles.number}
          label="First query of the numbers"
          value={String(begin)}
          onType={type}
          onError={setError}
          onDone={() => typed !== null && typed !== begin && actions.setQueriesStart(typed)}
        />
        <span>to {formatCount(last)}</span>
      </span>
      {typeof chosen === 'number' && (
        <Button kind="text" className={styles.usual} onClick={() => actions.setQueriesStart(null)}>
          usual range
        </Button>
      )}
      <EvictAfterChoice />
      {error !== null && <ErrorText>{error}</ErrorText>}
    </div>
  );
}

/**
 * Whether methods that evict once see a task's question first; for one that does not, only the measured queries move, and that is what is
 * said. A first query that was typed is where they evict.
 */
function EvictAfterChoice() {
  const { actions } = usePage();
  const source = useSession('source');
  const queriesStart = useSession('queriesStart');
  const evicts = useEvictsAtQueries();
  const place = evictAfterOf({ source, queriesStart });
  if (place === null) return null;
  return (
    <span className={styles.together}>
      {evicts ? (
        <Term name="evictAfter">evicting after the</Term>
      ) : (
        <Term name="beginAfter">queries begin after the</Term>
      )}
      <Select
        className={styles.place}
        aria-label={evicts ? 'Methods that evict once do so after' : 'The queries begin after'}
        value={place}
        options={EVICTION_CHOICES.map((value) => ({ value }))}
        onChange={(value) => actions.setQueriesStart(queriesAfter(value as EvictAfter))}
      />
    </span>
  );
}

function answerTable(freeRun: FreeRunMeasurement, title: string): Table {
  const { fullAnswer, answer, expectedAnswer, generatedTexts, question, answerPart } = freeRun;
  const ofPart = (name: string, part: DivergencePart | null): Table['rows'] =>
    part
      ? [
          [`KL of the ${name}, mean nats`, 0, part.meanNats],
          [`KL of the ${name}, median nats`, 0, part.medianNats],
          [`share of the ${name} above 0.1 nats`, 0, part.shareAbove],
          [`top-1 agreement of the ${name}`, 1, part.top1Agreement],
        ]
      : [];
  const generated = (texts: readonly string[] | undefined): string | null => texts?.join('') ?? null;
  return {
    columns: ['what', 'full attention', title],
    rows: [
      ['expected answer', expectedAnswer, expectedAnswer],
      ['answer', fullAnswer?.text ?? null, answer?.text ?? null],
      ['right', String(fullAnswer?.right ?? ''), String(answer?.right ?? '')],
      ['generated', generated(generatedTexts?.full), generated(generatedTexts?.method)],
      ['NLL, nats', freeRun.lossFullNats, freeRun.lossNats],
      ['KL from full attention, nats', 0, freeRun.divergenceNats],
      ['top-1 agreement', 1, freeRun.top1Agreement],
      ...ofPart('answer', answerPart),
      ...ofPart('question', question),
    ],
  };
}
