import { useMeasured, useView } from '../../src/page/hooks';
import type { NeedleFacts } from '../../src/study/facts';
import { Stale } from '../shared/Stale';
import { Term } from '../shared/Term';
import styles from './TokenPanel.module.css';

interface NeedleChipsProps {
  needles: readonly NeedleFacts[];
  onJump: (token: number) => void;
}

/**
 * The needles the question asks for: how many digits of each one's value the queries that wrote them saw, in the layer and head in
 * view, when the model answered with the method; a press goes to the needle.
 */
export function NeedleChips({ needles, onJump }: NeedleChipsProps) {
  const freeRun = useMeasured('freeRun');
  const layer = useView('layer');
  const head = useView('head');
  const asked = needles.filter((needle) => needle.asked);
  if (asked.length === 0) return null;
  return (
    <Stale as="ul" by={freeRun?.by ?? null} className={styles.needles} aria-label="Needles">
      <li className={styles.needleTitle}>
        <Term name="needle">needles</Term>
      </li>
      {asked.map((needle, at) => {
        const counted = freeRun?.value.needles?.[at];
        const kept = counted?.kept[layer]?.[head];
        const isKnown = counted !== undefined && kept !== undefined && counted.digits > 0;
        return (
          <li key={needle.start}>
            <button
              type="button"
              className={styles.needle}
              data-lost={(isKnown && kept < counted.digits) || undefined}
              title={titleOf(
                needle,
                kept === undefined ? null : { kept, digits: counted?.digits ?? 0, layer, head },
              )}
              onClick={() => onJump(needle.start)}
            >
              {needle.label} {isKnown && `${kept}/${counted.digits}`}
            </button>
          </li>
        );
      })}
    </Stale>
  );
}

function titleOf(
  { label, value }: NeedleFacts,
  counted: { kept: number; digits: number; layer: number; head: number } | null,
): string {
  if (!counted) return `${label}: ${value}`;
  const { kept, digits, layer, head } = counted;
  if (digits === 0) return `${label}: ${value}; the answer ended before it`;
  const seen = `${kept} of the ${digits} digits were seen by the query that wrote each, in layer ${layer}, head ${head}`;
  const rest = value.length - digits;
  return `${label}: ${value}, ${seen}${rest > 0 ? `; the answer ended before the other ${rest}` : ''}`;
}
