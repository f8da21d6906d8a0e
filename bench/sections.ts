/** The parts of the benchmark, in the order in which they are printed, and what `--only` and `--methods` choose of them. */
import { methods } from '../src/methods';
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
import { readingShapes } from './reading-shapes';
import type { Section } from './section';
import { topK } from './top-k';

const sections: readonly Section[] = [
  kernels,
  prefill,
  readingShapes,
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

/**
 * The methods that `--methods` names, comma-separated; undefined without it.
 *
 * @throws with one sentence if there is none of an id
 */
export function chosenMethods(named: string | undefined): readonly string[] | undefined {
  const ids = named?.split(',').filter(Boolean);
  for (const id of ids ?? []) {
    if (!methods.some((method) => method.id === id)) throw new Error(`There is no method "${id}".`);
  }
  return ids;
}
