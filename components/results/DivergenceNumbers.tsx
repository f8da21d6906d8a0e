import { spreadOf } from '../../src/measure/divergence';
import type { DivergencePart } from '../../src/measure/results';
import type { FreeRunMeasurement } from '../../src/study/results';
import { formatNats, formatPercent } from '../shared/format';
import { Term } from '../shared/Term';

interface DivergenceNumbersProps {
  freeRun: FreeRunMeasurement;
  /** Full attention is no yardstick past the trained length. */
  isGrey: boolean;
}

/** How far the next-token distributions are from full attention's: of all queries, and of those that predict the answer apart. */
export function DivergenceNumbers({ freeRun, isGrey }: DivergenceNumbersProps) {
  const { divergenceNats, top1Agreement, lossDifferenceNats, divergenceByToken, question, answerPart } =
    freeRun;
  // Studies recorded by an earlier version have no parts.
  const parts: readonly (readonly [string, DivergencePart | null | undefined])[] = [
    ['answer', answerPart],
    ['question', question],
  ];
  const shown = parts.filter((part): part is [string, DivergencePart] => part[1] != null);
  return (
    <>
      <dl className="answer-numbers" data-grey={isGrey || undefined}>
        <div>
          <dt>
            <Term name="divergence">KL</Term>
          </dt>
          <dd>{formatNats(divergenceNats)}</dd>
        </div>
        <div>
          <dt>
            <Term name="top1Agreement">top-1</Term>
          </dt>
          <dd>{formatPercent(top1Agreement)}</dd>
        </div>
        <div>
          <dt>
            <Term name="lossDifference">ΔNLL</Term>
          </dt>
          <dd>{lossDifferenceNats === null ? '–' : formatNats(lossDifferenceNats, true)}</dd>
        </div>
      </dl>
      {shown.map(([name, part]) => (
        <p key={name} className="divergence-part" data-grey={isGrey || undefined}>
          {name}: mean {formatNats(part.meanNats)}, {spread(part)}, top-1 {formatPercent(part.top1Agreement)}
        </p>
      ))}
      {shown.length === 0 && divergenceByToken.length > 0 && (
        <p className="divergence-part" data-grey={isGrey || undefined}>
          {spread(spreadOf(divergenceByToken))}
        </p>
      )}
    </>
  );
}

function spread({ medianNats, shareAbove }: Pick<DivergencePart, 'medianNats' | 'shareAbove'>): string {
  return `median ${formatNats(medianNats)}, ${formatPercent(shareAbove)} above 0.1 nats`;
}
