/** kvpress's ChunkPress (chunk_press.py): every chunk of the text keeps its own best, so that no stretch of it goes empty. */

import { sliceRows } from '../../gpu/rows';
import { evictionPlace } from './blocks';
import { uniformAtLeastOne } from './budgets/uniform';
import { type Budget, compose, type Scorer, token } from './compose';
import { keepFraction, mostTokens, scaledDefault } from './defaults';
import type { Method } from './method';
import { numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { baseParameter, byKeyRule, ruleOf, shortKeys } from './scorers/keys-alone';
import { denseScores } from './units';

interface Chunk {
  readonly start: number;
  readonly tokens: number;
  /** How many of them stay: max(1, ⌊f · tokens⌋). */
  readonly count: number;
}

function chunksOf(parameters: Parameters, layer: number, tokens: number): Chunk[] {
  const length = numberIn(parameters, 'chunkTokens', layer);
  const fraction = numberIn(parameters, 'keepFraction', layer);
  return Array.from({ length: Math.ceil(tokens / length) }, (_, i) => {
    const [start, own] = [i * length, Math.min(length, tokens - i * length)];
    return { start, tokens: own, count: Math.max(1, Math.floor(fraction * own)) };
  });
}

const countOf = (parameters: Parameters, layer: number, tokens: number): number =>
  chunksOf(parameters, layer, tokens).reduce((sum, { count }) => sum + count, 0);

/** Scores within each chunk, as if nothing else were there. */
const withinChunks: Scorer = {
  ...byKeyRule(shortKeys),
  name: (parameters, layer) => `chunk/${ruleOf(parameters).id}/${numberIn(parameters, 'chunkTokens', layer)}`,
  segmentTokens: (parameters, layer) => numberIn(parameters, 'chunkTokens', layer),
  score({ ops }, parameters, { layer, key }, tokens) {
    const buffer = ops.scratch('f32', key.heads * tokens, 'scores of keys');
    const score = denseScores(buffer, key.heads, tokens);
    for (const { start, tokens: own } of chunksOf(parameters, layer, tokens))
      ruleOf(parameters).score(ops, sliceRows(key, start, own), { ...score, offset: start, length: own });
    return inBuffers(ops, [buffer], { score });
  },
  operations: (parameters, context, tokens) => ruleOf(parameters).operations(context, tokens),
};

const ofChunks: Budget = {
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
    const tokens = evictionPlace(places);
    const least = Math.max(
      ...Array.from({ length: context.layers }, (_, layer) => chunksOf(parameters, layer, tokens).length),
    );
    // A key of every chunk stays.
    return least > 1 && least > Math.floor(fraction * tokens) ? { floor: least / tokens } : budget;
  },
};

export const chunk: Method = {
  id: 'chunk',
  title: 'Chunk by chunk',
  summary: 'Every chunk of the text keeps the best of its own keys by another method’s scores.',
  citation: {
    authors: 'NVIDIA, kvpress',
    year: 2024,
    url: 'https://github.com/NVIDIA/kvpress',
  },
  parameters: {
    base: baseParameter,
    keepFraction,
    chunkTokens: {
      kind: 'count',
      label: 'Chunk',
      help: 'Tokens that are scored and compared among themselves. kvpress calls it chunk_length, 1,024 by default.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(8, 32, 1024),
      paper: 1024,
    },
  },
  notes: () => [
    'A wrapper of kvpress (ChunkPress), not a paper’s method. At least one key of every chunk stays.',
  ],
  ...compose({
    ...{ scorer: withinChunks, budget: ofChunks, unit: token, schedule: once },
    positions: inText,
  }),
};
