/** The parts of the benchmark, in the order in which they are printed. */
import { attention } from './attention';
import { dispatchOverhead } from './dispatch-overhead';
import { esa } from './esa';
import { kernels } from './kernels';
import { live } from './live';
import { map } from './map';
import { memory } from './memory';
import { moves } from './moves';
import { movesRecorded } from './moves-recorded';
import { pipelines } from './pipelines';
import { prefill } from './prefill';
import { products } from './products';
import type { Section } from './section';
import { topK } from './top-k';

const sections: readonly Section[] = [
  kernels,
  prefill,
  products,
  attention,
  topK,
  esa,
  map,
  live,
  moves,
  memory,
  pipelines,
  dispatchOverhead,
  movesRecorded,
];

/**
 * The sections that `--only` names, comma-separated; all of them without it.
 *
 * @throws with one sentence if there is none of a name
 */
export function chosenSections(only: string | undefined): readonly Section[] {
  if (only === undefined) return sections;
  const names = only.split(',').filter(Boolean);
  for (const name of names) {
    if (!sections.some((section) => section.name === name)) {
      const known = sections.map((section) => section.name).join(', ');
      throw new Error(`The benchmark has no section "${name}"; it has: ${known}.`);
    }
  }
  return sections.filter(({ name }) => names.includes(name));
}
