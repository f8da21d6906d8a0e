/** Everything a method keeps in one layer: for the map, and for the command line's `select`. */

import { ignoreRejection } from '../base/ignore-rejection';
import type { Method, QueryBlock, Traits } from '../methods/method';
import { runNotices } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { Trace } from '../trace/trace';
import { choose } from './choices';
import type { Memo } from './memo';
import { type KeptKeys, readKeptOfEach, readScores } from './selection-reader';
import { startTraceRun } from './trace-run';

export interface BlockSelection {
  readonly block: QueryBlock;
  readonly kept: KeptKeys;
  /** Scores by token, one [T] per set; null where nothing was scored, or scores were not asked for. */
  readonly scores: readonly Float32Array[] | null;
}

export interface SelectAllRequest {
  readonly text: Trace;
  readonly method: Method;
  readonly parameters: Parameters;
  /** Place in `text.layerTraces`, not the layer's number. */
  readonly traceIndex: number;
  /** Where methods that evict once do so; T: after everything. */
  readonly evictAt: number;
  readonly withScores: boolean;
  readonly memo?: Memo;
  readonly signal?: AbortSignal;
}

/**
 * The selections of all blocks, and `after`: what stays for a query after the last token, for methods that evict; for those
 * that select anew, the last block's.
 */
export async function selectAll(request: SelectAllRequest): Promise<{
  readonly blocks: readonly BlockSelection[];
  readonly after: BlockSelection;
  /** What the run had to assume and what it met, one sentence each. */
  readonly notices: readonly string[];
}> {
  const { text, method, parameters, evictAt, withScores, signal } = request;
  const { ops, tokens } = text;
  const layerTrace = text.layerTraces[request.traceIndex];
  if (layerTrace?.window !== undefined) {
    const { window } = layerTrace;
    const blocks = windowSelections(tokens, window);
    return { blocks, after: windowSelection(tokens, tokens, window), notices: [] };
  }
  const started = await startTraceRun(text, method, parameters, evictAt, {
    layers: [layerTrace!],
    memo: request.memo,
    signal,
  });
  try {
    const { blocks, traits } = started;
    const sets = setsOf(traits, text);
    const asked = traits.evicts || blocks.length === 0 ? [...blocks, { start: tokens, end: tokens }] : blocks;
    // Encoded without waiting: what is read comes off the device together.
    const reads: Promise<BlockSelection>[] = [];
    for (const { blocks, selections } of choose(started, layerTrace!, asked, signal)) {
      const ofEach = readKeptOfEach(ops, selections, sets);
      for (const [i, selection] of selections.entries()) {
        const read = Promise.all([ofEach[i]!, withScores ? readScores(ops, selection, tokens) : null]);
        reads.push(ignoreRejection(read.then(([kept, scores]) => ({ block: blocks[i]!, kept, scores }))));
      }
      for (const { owned } of selections) ops.release(...owned);
      started.memo.renew();
      await ops.pace();
    }
    const [selections] = await Promise.all([Promise.all(reads), started.checkScores()]);
    signal?.throwIfAborted();
    return {
      blocks: selections.slice(0, blocks.length),
      after: selections[selections.length - 1]!,
      notices: await runNotices(started.run),
    };
  } finally {
    started.dispose();
  }
}

/** How many sets of keys a layer keeps. */
function setsOf({ sets }: Pick<Traits, 'sets'>, text: Pick<Trace, 'keyValueHeads' | 'queryHeads'>): number {
  return { layer: 1, kvHead: text.keyValueHeads, queryHead: text.queryHeads }[sets];
}

/** What every query of a text sees in a layer with a window, query by query. */
function windowSelections(tokens: number, window: number): BlockSelection[] {
  return Array.from({ length: tokens }, (_, start) => windowSelection(start, start + 1, window));
}

/** What a query at the end of a block sees. */
export function windowSelection(start: number, end: number, window: number): BlockSelection {
  return {
    block: { start, end },
    kept: {
      ...{ sets: [new Uint32Array(0)], rangeStart: Math.max(0, end - window) },
      ...{ candidates: { start: 0, end: 0 }, tiedAtCut: null },
    },
    scores: null,
  };
}
