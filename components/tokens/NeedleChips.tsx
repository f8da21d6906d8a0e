import type { QueryRow } from '../../src/measure/results';
import { isAnyDropped, keptIn } from '../../src/page/explain/explain-key';
import { useMeasured, useView } from '../../src/page/hooks';
import type { NeedleFacts } from '../../src/study/facts';
import { formatCount } from '../shared/format';
import { Stale } from '../shared/Stale';
import { Term } from '../shared/Term';
import styles from './TokenPanel.module.css';

interface NeedleChipsProps {
  needles: readonly NeedleFacts[];
  row: QueryRow | null;
  onJump: (token: number) => void;
}

/**
 * The needles the question asks for: how many digits of each one's value the queries that wrote them saw, in the layer and head in
 * view, when the model answered with the method. Where that is not known, how many of its tokens the chosen query sees. A press goes
 * to the needle.
 */
export function NeedleChips({ needles, row, onJump }: NeedleChipsProps) {
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
        const kept = counted?.kept[layer]?.[head] ?? null;
        const { count, isLost, title } =
          counted && kept !== null && counted.digits > 0
            ? digitsSeen(needle, kept, counted.digits, layer, head)
            : tokensSeen(needle, row, counted?.digits === 0);
        return (
          <li key={needle.start}>
            <button
              type="button"
              className={styles.needle}
              data-lost={isLost || undefined}
              title={title}
              onClick={() => onJump(needle.start)}
            >
              {needle.label} {count}
            </button>
          </li>
        );
      })}
    </Stale>
  );
}

interface Seen {
  readonly count: string | null;
  readonly isLost: boolean;
  readonly title: string;
}

/** Of the free run, by the queries that wrote the digits. */
function digitsSeen(
  { label, value }: NeedleFacts,
  kept: number,
  digits: number,
  layer: number,
  head: number,
): Seen {
  const seen = `${kept} of the ${digits} digits were seen by the query that wrote each, in layer ${layer}, head ${head}`;
  const rest = value.length - digits;
  const ended = rest > 0 ? `; the answer ended before the other ${rest}` : '';
  return {
    count: `${kept}/${digits}`,
    isLost: kept < digits,
    title: `${label}: ${value}, ${seen}${ended}`,
  };
}

/** By the chosen query, where no digits were counted. */
function tokensSeen(needle: NeedleFacts, row: QueryRow | null, hasEnded: boolean): Seen {
  const said = `${needle.label}: ${needle.value}${hasEnded ? '; the answer ended before it' : ''}`;
  if (!row) return { count: null, isLost: false, title: said };
  const tokens = needle.end - needle.start;
  const seen = keptIn(row, needle);
  const whose = `query ${formatCount(row.query)} sees ${seen} of its ${tokens} tokens, in layer ${row.layer}, head ${row.head}`;
  return {
    count: `${seen} of ${tokens} tokens`,
    isLost: isAnyDropped(row, needle),
    title: `${said}; ${whose}`,
  };
}
