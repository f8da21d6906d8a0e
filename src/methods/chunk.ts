/** kvpress's ChunkPress (chunk_press.py): every chunk of the text keeps its own best, so that no stretch of it goes empty. */

import { sliceRows } from '../../gpu/rows';
import { chunksOf, ofChunks } from './budgets/chunks';
import { compose, type Scorer, token } from './compose';
import { keepFraction, mostTokens, scaledDefault } from './defaults';
import type { Method } from './method';
import { numberIn } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { baseParameter, byKeyRule, ruleOf, shortKeys } from './scorers/keys-alone';
import { denseScores } from './units';

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

export const chunk: Method = {
  id: 'chunk',
  title: 'Chunk by chunk',
  summary: 'Every chunk of the text keeps the best of its own keys by another method’s scores.',
  citation: {
    authors: 'NVIDIA, kvpress',
    year: 2024,
    url: 'https://github.com/NVIDIA/kvpress',
  },
  presets: {
    kvpress: { parameters: { chunkTokens: 1024 }, evictAfter: 'context' },
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
