/** Of what a method has chosen for several blocks, what is asked about. */
import type { Ops } from '../../gpu/ops';
import { ignoreRejection } from '../base/ignore-rejection';
import type { QueryBlock, Selection } from '../methods/method';
import type { Choices } from './choices';
import { type KeptKeys, readKept, readKeptOfEach } from './selection-reader';
import type { TokenRange } from './trace-run';

export interface Taken {
  readonly selection: Selection;
  readonly block: QueryBlock;
  /** The block's queries that are asked about. */
  readonly measured: TokenRange;
}

/**
 * The choices of those blocks of which `measuredOf` says what is asked, in their order, and the others. `kept`: what one of those taken
 * keeps, by its place among them. Those of one pass are read together, one that was chosen alone only if it is asked for; ask before
 * anything of the choices is released.
 */
export function takenOf(
  ops: Ops,
  { blocks, selections, inOnePass }: Choices,
  measuredOf: (block: QueryBlock) => TokenRange | null,
): {
  readonly taken: readonly Taken[];
  readonly others: readonly Selection[];
  kept(place: number): Promise<KeptKeys>;
} {
  const taken: Taken[] = [];
  const others: Selection[] = [];
  for (const [i, selection] of selections.entries()) {
    const block = blocks[i]!;
    const measured = measuredOf(block);
    if (measured) taken.push({ selection, block, measured });
    else others.push(selection);
  }
  let together: Promise<KeptKeys>[] | null = null;
  return {
    taken,
    others,
    kept(place) {
      if (!inOnePass) return ignoreRejection(readKept(ops, taken[place]!.selection));
      together ??= readKeptOfEach(
        ops,
        taken.map(({ selection }) => selection),
      );
      return together[place]!;
    },
  };
}
