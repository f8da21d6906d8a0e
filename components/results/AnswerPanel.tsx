import { useMeasured, usePage, usePageState } from '../../src/session/hooks';
import { isPastTrained } from '../../src/session/summary';
import type { AnswerMeasurement, FreeRunMeasurement } from '../../src/study/types';
import { evaluateCommand } from '../shared/command';
import { formatNats, formatPercent } from '../shared/format';
import { Panel } from '../shared/Panel';
import { methodTitle } from '../shared/provenance';
import { Term } from '../shared/Term';
import type { Table } from '../shared/table';
import { answerParts } from './answer-parts';
import { QueriesRange } from './QueriesRange';
import './results.css';

/** What the model answers with the method in every layer, next to what it answers with full attention. */
export function AnswerPanel() {
  const { findMethod } = usePage();
  const measured = useMeasured('freeRun');
  const freeRun = measured?.value ?? null;
  const isPast = usePageState((state) => isPastTrained(state.text, state.model));
  const isRunning = usePageState((state) => state.running);
  // The method that answered, which may not be the one that is chosen now.
  const title = measured ? methodTitle(measured.by.method, findMethod) : '';
  return (
    <Panel
      title="Answer"
      className="panel-answer"
      provenance={measured}
      aside={<Term name="freeRun">free run</Term>}
      {...(freeRun && {
        copy: {
          what: 'the answers',
          table: () => answerTable(freeRun, title),
          command: evaluateCommand,
        },
      })}
    >
      {!freeRun && (
        <p className="empty">
          {isRunning ? 'The model has not answered yet.' : 'No answer: the run did not come this far.'}
        </p>
      )}
      {freeRun && (
        <div className="answer">
          {freeRun.expectedAnswer === null ? (
            <p className="empty">This text asks nothing, so there is no answer to check.</p>
          ) : (
            <dl className="answers">
              <dt>expected</dt>
              <dd className="answer-text">{freeRun.expectedAnswer.trim()}</dd>
              <AnswerRow name="full" answer={freeRun.fullAnswer} expected={freeRun.expectedAnswer} />
              {measured?.by.method.id !== 'full' && (
                <AnswerRow name={title} answer={freeRun.answer} expected={freeRun.expectedAnswer} />
              )}
            </dl>
          )}
          <dl className="answer-numbers" data-grey={isPast || undefined}>
            <div>
              <dt>
                <Term name="divergence">KL</Term>
              </dt>
              <dd>{formatNats(freeRun.divergenceNats)}</dd>
            </div>
            <div>
              <dt>
                <Term name="top1Agreement">top-1</Term>
              </dt>
              <dd>{formatPercent(freeRun.top1Agreement)}</dd>
            </div>
            <div>
              <dt>
                <Term name="lossDifference">ΔNLL</Term>
              </dt>
              <dd>
                {freeRun.lossDifferenceNats === null ? '–' : formatNats(freeRun.lossDifferenceNats, true)}
              </dd>
            </div>
          </dl>
          <QueriesRange />
        </div>
      )}
    </Panel>
  );
}

interface AnswerRowProps {
  name: string;
  answer: AnswerMeasurement | null;
  expected: string;
}

function AnswerRow({ name, answer, expected }: AnswerRowProps) {
  if (!answer) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd className="answer-text" data-right={answer.right}>
        <span>
          {answer.text.trim() === '' && <em>nothing</em>}
          {answer.right
            ? answer.text.trim()
            : answerParts(answer.text.trim(), expected).map((part, at) =>
                part.isWrong ? (
                  // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other identity
                  <mark key={at}>{part.text}</mark>
                ) : (
                  part.text
                ),
              )}
        </span>
        <span className="verdict">
          <span className="visually-hidden">{answer.right ? 'right' : 'wrong'}</span>
        </span>
      </dd>
    </>
  );
}

function answerTable(freeRun: FreeRunMeasurement, title: string): Table {
  const { fullAnswer, answer, expectedAnswer } = freeRun;
  return {
    columns: ['what', 'full attention', title],
    rows: [
      ['expected answer', expectedAnswer, expectedAnswer],
      ['answer', fullAnswer?.text ?? null, answer?.text ?? null],
      ['right', String(fullAnswer?.right ?? ''), String(answer?.right ?? '')],
      ['NLL, nats', freeRun.lossFullNats, freeRun.lossNats],
      ['KL from full attention, nats', 0, freeRun.divergenceNats],
      ['top-1 agreement', 1, freeRun.top1Agreement],
    ],
  };
}
