import type { LayerMeasurement } from '../../src/measure/results';
import { useView } from '../../src/page/hooks';
import { formatPercent } from '../shared/format';
import styles from './LayerRecall.module.css';

/** The pattern that a search gave each head of the shown layer, and how much of its attention every candidate keeps. */
export function Patterns({ layers }: { layers: readonly LayerMeasurement[] }) {
  const shown = useView('layer');
  const found = layers.find(({ layer }) => layer === shown)?.patterns;
  if (!found) return null;
  return (
    <ul className={styles.past} aria-label={`Patterns of layer ${shown}`}>
      {found.heads.map(({ chosen, masses }, head) => (
        <li
          // biome-ignore lint/suspicious/noArrayIndexKey: a head is its number
          key={head}
          title={found.candidates.map((name, at) => `${name}: ${formatPercent(masses[at]!)}`).join('; ')}
        >
          head {head}: {found.candidates[chosen]}, {formatPercent(masses[chosen]!)} of its attention
        </li>
      ))}
    </ul>
  );
}
