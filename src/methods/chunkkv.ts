/**
 * ChunkKV (arXiv 2502.00299; kvpress chunkkv_press.py): consecutive tokens are kept or dropped together, by the mean of another
 * method's scores, the same in all heads. The paper's layer-wise index reuse: the first of every `reuseLayers` layers chooses for all.
 */
import { evictOnceBudget } from './budget';
import { uniformOf } from './budgets/uniform';
import { compose, composeBy, type Scorer } from './compose';
import { keepFraction, mostTokens } from './defaults';
import { lagRanks } from './lagkv/kvpress';
import type { Method } from './method';
import { type CountParameter, numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { once } from './schedules/once';
import { observationWindowAsKvpress } from './scorers/observation-window';
import { baseOf, checkBase, snapkvAndLagkvParameters, snapkvOrLagkv } from './scorers/snapkv-or-lagkv';
import { summedHeads } from './scorers/summed-heads';

/** max(1, ⌊f·chunks⌋) chunks. */
const budget = uniformOf(
  (parameters, layer, chunks) =>
    Math.max(1, Math.floor(numberIn(parameters, 'keepFraction', layer) * chunks)),
  evictOnceBudget,
);

/** The first of the layers that share a choice. */
function leader(parameters: Parameters, layer: number): number {
  const layers = numberIn(parameters, 'reuseLayers', 0);
  return layer - (layer % layers);
}

const over = (base: Scorer) =>
  compose({
    ...{ scorer: summedHeads(base), budget, schedule: once, positions: inText, leader },
    unit: { name: 'chunk', tokens: (parameters, layer) => numberIn(parameters, 'chunkTokens', layer) },
  });

const bases = { snapkv: over(observationWindowAsKvpress), lagkv: over(lagRanks as Scorer) };

/** How long a chunk is. */
export const chunkTokens: CountParameter = {
  kind: 'count',
  label: 'Chunk',
  symbol: 'c',
  help: 'Consecutive tokens that are kept or dropped together; kvpress calls them chunk_length, 20 by default.',
  unit: 'tokens',
  minimum: 1,
  maximum: mostTokens,
  default: () => 10,
};

export const chunkkv: Method = {
  id: 'chunkkv',
  title: 'ChunkKV',
  summary:
    'Keeps whole chunks of consecutive tokens, those that another method scores best on average; a layer can take over a lower one’s choice.',
  citation: {
    authors: 'Liu, Tang, Dong, Li, Liu, Li, Hu, Chu',
    year: 2025,
    url: 'https://arxiv.org/abs/2502.00299',
  },
  presets: {
    kvpress: {
      parameters: {
        chunkTokens: 20,
        reuseLayers: 1,
        windowTokens: 64,
        poolKernel: 5,
        sinkTokens: 4,
        lagTokens: 128,
      },
      evictAfter: 'context',
    },
  },
  parameters: {
    base: snapkvOrLagkv('Whose scores a chunk has the mean of.'),
    keepFraction,
    chunkTokens,
    reuseLayers: {
      kind: 'count',
      label: 'Layers that share a choice',
      symbol: 'N',
      help: 'The first of so many consecutive layers chooses for all of them (layer-wise index reuse); 1: every layer for itself, as in kvpress. One number for all layers.',
      unit: 'layers',
      minimum: 1,
      maximum: ({ layers }) => layers,
      default: () => 1,
      isSameInAllLayers: true,
    },
    ...snapkvAndLagkvParameters,
  },
  notes: () => [
    'kvpress’s scores and budget: whole chunks by their mean, no window kept for certain, at least one chunk. A text shorter than a chunk is one chunk, where kvpress falls back to single tokens.',
  ],
  validate: (parameters, context) => checkBase('chunkkv', parameters, context),
  ...composeBy((parameters) => bases[baseOf(parameters)]),
};
