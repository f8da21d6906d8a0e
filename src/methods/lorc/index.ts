/**
 * LoRC (arXiv 2410.03111): W_K and W_V are cut to a lower rank, so that a token leaves a few numbers in the cache of which its key and
 * value are made again. Every token stays, with another key and value.
 */
import { UserError } from '../../base/user-error';
import { equalBlocks } from '../blocks';
import { defaultChunkTokens } from '../defaults';
import type { Method } from '../method';
import { startLorc } from './run';
import { followsCondition, fullRank, lorcParameters, plannedRanks, rankBounds } from './schema';

export const lorc: Method = {
  id: 'lorc',
  title: 'LoRC',
  summary:
    'Cuts the maps that keys and values are made with to a lower rank: every token stays, as fewer numbers.',
  citation: {
    authors: 'Zhang, Wang, Liu, Wang, Cheng, Zhang, Shen',
    year: 2024,
    url: 'https://arxiv.org/abs/2410.03111',
  },
  presets: { paper: { from: 'paper' } },
  parameters: lorcParameters,
  notes: (parameters) => [
    'From the paper’s formulas, no code being public; with rotary positions a key’s factor cannot move into W_Q, so keys are made of their latents before they are rotated.',
    ...(followsCondition(parameters)
      ? [
          'Cost is counted with the ranks of layers whose condition numbers are all alike; those used are reported with the run.',
        ]
      : []),
  ],
  validate(parameters, { layers }) {
    if (!followsCondition(parameters)) return;
    for (let layer = 0; layer < layers; layer++) {
      const { most, least } = rankBounds(parameters, layer);
      if (least <= most) continue;
      throw new UserError(`lorc: minRank ${least} is more than maxRank ${most}; lower it.`);
    }
  },
  traits: () => ({
    ...{ decides: 'never', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'transformed', unit: 'rank', positions: 'model', wants: {} },
  }),
  blocks: (_parameters, tokens, _evictAt, context) => equalBlocks(0, tokens, defaultChunkTokens(context)),
  start: startLorc,
  cost(parameters, context, layer, { position, block }) {
    const width = fullRank(context);
    const { key, value } = plannedRanks(parameters, context.layers, layer);
    const latents = [key, value].filter((rank) => rank < width);
    const ranks = latents.reduce((sum, rank) => sum + rank, 0);
    // A block makes the keys and values of all its tokens see of their latents, once.
    const made = block.end / (block.end - block.start);
    return {
      keptKeys: position + 1,
      selectionOperations: 2 * ranks * width * made,
      readNumbers: (ranks + (2 - latents.length) * width) * (position + 1),
    };
  },
  memory(parameters, place) {
    const width = fullRank(place);
    const ofLayers = Array.from({ length: place.layers }, (_, layer) =>
      plannedRanks(parameters, place.layers, layer),
    );
    const ranks = ofLayers.flatMap(({ key, value }) => [key, value]).filter((rank) => rank < width);
    return [
      ...ranks.flatMap((rank) => [
        { label: 'factor from latents', elements: rank * width, count: 1 },
        { label: 'factor to latents', elements: rank * place.hiddenSize, count: 1 },
      ]),
      { label: 'latents', elements: Math.max(0, ...ranks) * place.tokens, count: 1 },
    ];
  },
  withBudget: (parameters, _context, keepFraction) =>
    keepFraction >= 1
      ? { parameters }
      : { reason: 'LoRC keeps every token: ranks make its cache smaller, no kept fraction does.' },
};
