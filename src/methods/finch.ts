/**
 * FINCH (arXiv 2408.00167) as in kvpress (finch_press.py): evicts once, by what the question attends to, and moves what stays together.
 */
import { chunksOf, ofChunks } from './budgets/chunks';
import { compose, composeBy, type Scorer, token } from './compose';
import { keepFraction, mostTokens } from './defaults';
import type { Method } from './method';
import { type CountParameter, numberIn } from './parameters';
import { positions, positionsByChoice } from './positions';
import { once } from './schedules/once';
import { questionWindow, windowParameters } from './scorers/observation-window';

/** The whole text is compared. */
const whole: Scorer = {
  ...questionWindow,
  candidates(parameters, layer, tokens) {
    const window = Math.min(numberIn(parameters, 'windowTokens', layer), tokens);
    const chunks = chunksOf(parameters, layer, tokens);
    // A chunk with room for less than what it has of the window drops some of that, too.
    const isKept = chunks.every(
      ({ start, tokens: own, count }) => count >= Math.min(own, start + own - (tokens - window)),
    );
    return { start: 0, end: isKept ? tokens - window : tokens };
  },
};

const byChunk: Scorer = {
  ...whole,
  segmentTokens: (parameters, layer) => numberIn(parameters, 'chunkTokens', layer),
};

const over = (scorer: Scorer) =>
  compose({ scorer, budget: ofChunks, unit: token, schedule: once, positions: positionsByChoice });

const ways = { whole: over(whole), byChunk: over(byChunk) };

export const finch: Method = {
  id: 'finch',
  title: 'FINCH',
  summary: 'Keeps what the question before the eviction attends to, and moves what stays together.',
  citation: {
    authors: 'Corallo, Papotti',
    year: 2024,
    url: 'https://arxiv.org/abs/2408.00167',
  },
  presets: {
    kvpress: { parameters: { chunkTokens: 0, normalize: true, positions: 'cache' }, evictAfter: 'question' },
  },
  parameters: {
    keepFraction,
    windowTokens: {
      ...(windowParameters.windowTokens as CountParameter),
      label: 'Question',
      help: 'Last tokens before the eviction, the question: their queries score the others, and they stay. kvpress finds them by a delimiter.',
    },
    chunkTokens: {
      kind: 'count',
      label: 'Chunk',
      symbol: 'm',
      help: 'Tokens that are compared among themselves, each chunk keeping its best; 0: the whole text at once. kvpress calls it chunk_length.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      default: () => 0,
    },
    normalize: {
      kind: 'choice',
      label: 'Normalised',
      help: 'Whether a query counts as often as it has earlier keys, among which it shares out its attention. kvpress calls it normalize_scores.',
      options: [
        { value: true, label: 'yes', help: 'Later queries count for more.' },
        { value: false, label: 'no', help: 'All count alike.' },
      ],
      default: () => true,
    },
    positions: {
      ...positions,
      options: [
        { value: 'original', label: 'in the text', help: 'Kept keys stay where they were.' },
        {
          value: 'cache',
          label: 'in the cache',
          help: 'Kept keys move together: position is the place in the cache, as in kvpress.',
        },
      ],
      default: () => 'cache',
    },
  },
  notes: ({ windowTokens }) => [
    'kvpress’s variant: reads the text once, with full attention. The paper reads it chunk by chunk with the question behind each, and compresses before the next.',
    `The last ${[...new Set([windowTokens].flat())].join(' or ')} tokens before the eviction stand for the question, however long it is. kvpress takes all of it: evict after the question, and make Question its length.`,
  ],
  ...composeBy(({ chunkTokens }) => ([chunkTokens].flat().includes(0) ? ways.whole : ways.byChunk)),
};
