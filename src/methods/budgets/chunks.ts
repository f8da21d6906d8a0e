/** The best of every chunk of the text (kvpress, chunk_press.py and finch_press.py). */
import type { Budget } from '../compose';
import { numberIn, type Parameters } from '../parameters';
import { uniformAtLeastOne } from './uniform';

/** Consecutive tokens that are compared among themselves. */
interface Chunk {
  readonly start: number;
  readonly tokens: number;
  /** How many of them stay: max(1, ⌊f · tokens⌋). */
  readonly count: number;
}

/** The chunks of so many tokens; chunkTokens 0: all are one. */
export function chunksOf(parameters: Parameters, layer: number, tokens: number): Chunk[] {
  const length = numberIn(parameters, 'chunkTokens', layer) || Math.max(1, tokens);
  const fraction = numberIn(parameters, 'keepFraction', layer);
  return Array.from({ length: Math.ceil(tokens / length) }, (_, i) => {
    const [start, own] = [i * length, Math.min(length, tokens - i * length)];
    return { start, tokens: own, count: Math.max(1, Math.floor(fraction * own)) };
  });
}

const countOf = (parameters: Parameters, layer: number, tokens: number): number =>
  chunksOf(parameters, layer, tokens).reduce((sum, { count }) => sum + count, 0);

/** Each set keeps the best max(1, ⌊f · tokens⌋) of every chunk. */
export const ofChunks: Budget = {
  ...uniformAtLeastOne,
  count: (parameters, layer, _units, tokens) => countOf(parameters, layer, tokens),
  keep(ops, parameters, layer, { score }, count) {
    const { rows: sets } = score;
    const buffer = ops.scratch('u32', sets * count, 'kept keys');
    const tied = ops.scratch('u32', sets, 'tied at the cut');
    let at = 0;
    for (const chunk of chunksOf(parameters, layer, score.length)) {
      ops.topK({
        score: { ...score, offset: score.offset + chunk.start, length: chunk.tokens },
        count: chunk.count,
        indexBase: chunk.start,
        out: { buffer, offset: at, sets, count: chunk.count, rowStride: count },
        // Of the last chunk.
        tied: { buffer: tied, offset: 0 },
      });
      at += chunk.count;
    }
    return { list: { buffer, offset: 0, sets, count, rowStride: count }, tied, tiedSets: sets };
  },
  withBudget(parameters, context, fraction, places) {
    const budget = uniformAtLeastOne.withBudget(parameters, context, fraction, places);
    if (!('parameters' in budget)) return budget;
    const tokens = places.evictAt;
    const least = Math.max(
      ...Array.from({ length: context.layers }, (_, layer) => chunksOf(parameters, layer, tokens).length),
    );
    // A key of every chunk stays.
    return least > 1 && least > Math.floor(fraction * tokens) ? { floor: least / tokens } : budget;
  },
};
