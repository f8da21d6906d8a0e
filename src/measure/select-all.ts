/** Everything a method keeps in one layer: for the map, and for the command line's `select`. */
import type { Method, QueryBlock } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { RecordedText } from '../study/recorded';
import { layerInput, startProbe } from './probe-run';
import { type KeptKeys, readKept, readScores } from './selection-reader';

export interface BlockSelection {
  readonly block: QueryBlock;
  readonly kept: KeptKeys;
  /** Scores by token, one [T] per set; null where nothing was scored, or scores were not asked for. */
  readonly scores: readonly Float32Array[] | null;
}

export interface SelectAllRequest {
  readonly text: RecordedText;
  readonly method: Method;
  readonly parameters: Parameters;
  /** Place in `text.recorded`, not the layer's number. */
  readonly recordedIndex: number;
  /** Where methods that evict once do so; T: after everything. */
  readonly evictAt: number;
  readonly withScores: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The selections of all blocks, and `after`: what stays for a query after the last token, for methods that evict; for those
 * that select anew, the last block's.
 */
export async function selectAll(
  request: SelectAllRequest,
): Promise<{ readonly blocks: readonly BlockSelection[]; readonly after: BlockSelection }> {
  const { text, method, parameters, evictAt, withScores, signal } = request;
  const { ops, tokens } = text;
  const recorded = text.recorded[request.recordedIndex];
  const { run, blocks } = await startProbe({ ...text, recorded: [recorded] }, method, parameters, evictAt, {
    signal,
  });
  try {
    const selectBlock = async (block: QueryBlock): Promise<BlockSelection> => {
      signal?.throwIfAborted();
      const input = layerInput(recorded, block);
      const selection = run.select(input);
      try {
        const [kept, scores] = await Promise.all([
          readKept(ops, selection),
          withScores ? readScores(ops, selection, tokens) : null,
        ]);
        await ops.pace();
        return { block, kept, scores };
      } finally {
        ops.release(...selection.owned);
      }
    };
    const selections: BlockSelection[] = [];
    for (const block of blocks) selections.push(await selectBlock(block));
    const evicts = method.family === 'evict-once' || method.family === 'evict-reading';
    const last = selections.at(-1);
    const after = evicts || !last ? await selectBlock({ start: tokens, end: tokens }) : last;
    return { blocks: selections, after };
  } finally {
    run.dispose();
  }
}
