import { isKept } from '../../src/session/missed';
import type { NeedleFacts, QueryRow } from '../../src/study/types';
import { Term } from '../shared/Term';
import { valueTokens } from './needle-value';

interface NeedleChipsProps {
  needles: readonly NeedleFacts[];
  tokenTexts: readonly string[];
  row: QueryRow | null;
  /** Past the trained length the counts are of a query that full attention has led astray. */
  isGrey: boolean;
  onJump: (token: number) => void;
}

/** The needles the question asks for: how much of each one's value the chosen query sees; a press goes there. */
export function NeedleChips({ needles, tokenTexts, row, isGrey, onJump }: NeedleChipsProps) {
  const asked = needles.filter((needle) => needle.asked);
  if (asked.length === 0) return null;
  return (
    <ul className="needle-chips" aria-label="Needles">
      <li className="needle-title">
        <Term name="needle">needles</Term>
      </li>
      {asked.map((needle) => {
        const value = valueTokens(needle, tokenTexts);
        const length = value.end - value.start;
        const isAhead = row !== null && needle.end > row.query + 1;
        const kept = row && !isAhead ? keptIn(row, value) : null;
        return (
          <li key={needle.start}>
            <button
              type="button"
              className="needle-chip"
              data-grey={isGrey || undefined}
              data-lost={(!isGrey && kept !== null && kept < length) || undefined}
              title={`${needle.label}: ${needle.value}${kept === null ? '' : `, ${kept} of the ${length} tokens of its value are seen`}`}
              onClick={() => onJump(needle.start)}
            >
              {needle.label} {isAhead ? 'later' : kept !== null && `${kept}/${length}`}
            </button>
          </li>
        );
      })}
      {isGrey && (
        <li className="needle-reason">
          past the <Term name="trainedLength">trained length</Term> these counts mean nothing: read the answer
        </li>
      )}
    </ul>
  );
}

export function keptIn(row: QueryRow, { start, end }: { start: number; end: number }): number {
  let kept = 0;
  for (let token = start; token < end; token++) if (isKept(row, token)) kept += 1;
  return kept;
}
