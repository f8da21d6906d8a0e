import type { SweepCurve, SweepPoint } from '../../src/measure/results';
import { usePage, usePageState } from '../../src/page/hooks';
import { formatPercent } from '../shared/format';
import { Term } from '../shared/Term';

/** Whether the method answered this text at a point; null: not run. */
export function answerOf({ right }: Pick<SweepPoint, 'right'>): boolean | null {
  return right ?? null;
}

export function answerWord(point: Pick<SweepPoint, 'right'>): 'right' | 'wrong' | 'not run' {
  const right = answerOf(point);
  return right === null ? 'not run' : right ? 'right' : 'wrong';
}

interface AnswerPointProps {
  point: SweepPoint;
  x: number;
  y: number;
  title: string;
  isCurrent: boolean;
}

/** A point of a curve: filled where the answer was right, hollow where it was wrong, a dot where nobody has asked. */
export function AnswerPoint({ point, x, y, title, isCurrent }: AnswerPointProps) {
  const word = answerWord(point);
  const kept = formatPercent(point.kept ?? 0);
  const recall = formatPercent(point.massRecall ?? 0);
  return (
    <circle
      className={isCurrent ? 'answer-point answer-point-current' : 'answer-point'}
      data-answer={word}
      cx={x}
      cy={y}
      r={word === 'not run' ? 1.4 : 3.2}
    >
      <title>{`${title}, ${kept} kept, ${recall} recall: answer ${word}`}</title>
    </circle>
  );
}

/** What the points say, how far their answers are, and what else can be run. */
export function SweepAnswers({ sweep, isStale }: { sweep: readonly SweepCurve[]; isStale: boolean }) {
  const { answerSweep } = usePage();
  const answering = usePageState((state) => state.answering);
  const isRunning = usePageState((state) => state.running);
  const isOpen = (curve: SweepCurve): boolean =>
    curve.points.some((point) => point.massRecall !== null && answerOf(point) === null);
  const hasOpen = sweep.some(isOpen);
  return (
    <p className="sweep-answers">
      <Term name="sweepAnswer">answer</Term>: <i data-answer="right" /> right <i data-answer="wrong" /> wrong{' '}
      <i data-answer="not run" /> not run{' '}
      {answering && (
        <span role="status" className="sweep-answering">
          running answers: {answering.done} of {answering.total}
        </span>
      )}
      {!answering && !isRunning && !isStale && hasOpen && (
        <button type="button" className="text-button" onClick={answerSweep}>
          run all answers
        </button>
      )}
    </p>
  );
}
