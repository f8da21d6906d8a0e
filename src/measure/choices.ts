/** What a run chooses in one layer, block by block; for consecutive blocks of one query in one pass, where the method can. */
import { queriesOfPass } from '../methods/blocks';
import type { LayerInput, QueryBlock, Selection } from '../methods/method';
import type { LayerTrace } from '../trace/trace';
import type { TraceRun } from './trace-run';

export interface Choices {
  /** All queries of the blocks. */
  readonly input: LayerInput;
  readonly blocks: readonly QueryBlock[];
  /** One for each block. Release them together: the first may own the buffers of all. */
  readonly selections: readonly Selection[];
  /** Whether they were made in one pass, by `MethodRun.each`. */
  readonly inOnePass: boolean;
}

/** The choices of `blocks`, ascending, made as they are asked for. Throws the signal's reason and then holds nothing. */
export function* choose(
  { run, inputOf }: Pick<TraceRun, 'run' | 'inputOf'>,
  layerTrace: LayerTrace,
  blocks: readonly QueryBlock[],
  signal: AbortSignal | undefined,
): Generator<Choices> {
  for (let from = 0, to: number; from < blocks.length; from = to) {
    to = run.each ? endOfSingles(blocks, from, run.each.scoresOfQuery) : from + 1;
    const together = blocks.slice(from, to);
    signal?.throwIfAborted();
    const input = inputOf(layerTrace, { start: together[0]!.start, end: together.at(-1)!.end });
    const selections = together.length > 1 ? (run.each?.select(input) ?? null) : null;
    if (selections) {
      yield { input, blocks: together, selections, inOnePass: true };
      continue;
    }
    for (const block of together) {
      signal?.throwIfAborted();
      const own = inputOf(layerTrace, block);
      const selection = run.select(own);
      run.attended?.(own, selection, null);
      yield { input: own, blocks: [block], selections: [selection], inOnePass: false };
    }
  }
}

/** End of the run of adjacent one-query blocks that begins at `from`; `from + 1` if that block has several queries. */
function endOfSingles(blocks: readonly QueryBlock[], from: number, scoresOfQuery = 1): number {
  const isSingle = ({ start, end }: QueryBlock): boolean => end - start === 1;
  const most = queriesOfPass(scoresOfQuery, blocks[from]!.end);
  let to = from + 1;
  if (!isSingle(blocks[from]!)) return to;
  while (
    to < blocks.length &&
    to - from < most &&
    isSingle(blocks[to]!) &&
    blocks[to]!.start === blocks[to - 1]!.end
  ) {
    to++;
  }
  return to;
}

/**
 * Whether two selections keep the same keys, as what a method that evicts once shows to every later block: both list the same part
 * of a buffer that outlives them and see every token from the same one on. Lists of one selection alone are never the same.
 */
export function isSameChoice(a: Selection, b: Selection): boolean {
  if (a.rangeStart !== b.rangeStart || a.owned.length > 0 || b.owned.length > 0) return false;
  if (!a.list || !b.list) return a.list === b.list;
  return (
    a.list.buffer === b.list.buffer &&
    a.list.offset === b.list.offset &&
    a.list.sets === b.list.sets &&
    a.list.count === b.list.count &&
    a.list.rowStride === b.list.rowStride &&
    a.list.countsOffset === b.list.countsOffset
  );
}
