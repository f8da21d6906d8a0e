/**
 * InfLLM (arXiv 2402.04617): tokens that have left the local window are kept in blocks; every block of queries attends to the blocks
 * whose representative tokens it would attend to most. Nothing is evicted (thunlp/InfLLM, inf_llm/attention/context_manager.py).
 */
import { equalBlocks, queriesHeld, studyBlocks } from '../blocks';
import type { Method } from '../method';
import { InfLlmRun } from './run';
import { chunkTokensOf, infLlmParameters, lengthsIn, memoryOf, validateInfLlm } from './schema';

export const infLlm: Method = {
  id: 'infllm',
  title: 'InfLLM',
  summary:
    'Every block of queries sees the blocks of earlier tokens whose most attended keys it has the largest products with.',
  citation: {
    authors: 'Xiao, Zhang, Han, Xiao, Lin, Zhang, Liu, Sun',
    year: 2024,
    url: 'https://arxiv.org/abs/2402.04617',
  },
  presets: { paper: { from: 'code' } },
  parameters: infLlmParameters,
  traits: (parameters) => ({
    ...{ decides: 'whileReading', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'tokens', positions: 'cache' },
    unit: lengthsIn(parameters, 0).blockTokens,
    unitName: 'block',
    wants: { unrotated: true, attended: true },
  }),
  notes: () => [
    'What stands for a block is known once its tokens are no longer local, by the attention that the method itself paid: earlier blocks are always read, too.',
  ],
  validate: validateInfLlm,
  blocks: (parameters, tokens) => equalBlocks(0, tokens, chunkTokensOf(parameters)),
  start: (context, parameters) => new InfLlmRun(context, parameters),
  /**
   * Probabilities are attention's own: adding them up for local tokens, and for every token its share of choosing representatives and
   * of their mean. Where blocks are chosen the mean query, and the products with what stands for each, shared out over the queries.
   */
  cost(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, layer, { position, block }) {
    const lengths = lengthsIn(parameters, layer);
    const { initEnd, blocks, blocksEnd } = memoryOf(lengths, block.start);
    const { selectedBlocks, blockTokens, representativeTokens, localTokens } = lengths;
    const isChosen = blocks > selectedBlocks;
    const seen = isChosen ? initEnd + selectedBlocks * blockTokens : blocksEnd;
    const keptKeys = seen + position + 1 - blocksEnd;
    const followed = H * Math.min(localTokens, position + 1);
    const representing = H * (1 + (representativeTokens * d) / blockTokens);
    const chosen = isChosen ? H * d + (2 * H * d * blocks) / (block.end - block.start) : 0;
    return {
      keptKeys,
      selectionOperations: followed + representing + chosen,
      readNumbers: 2 * G * d * keptKeys + followed + (isChosen ? H * d * blocks : 0),
    };
  },
  memory(parameters, place) {
    const { queryHeads: H, keyValueHeads: G, headDimension: d, tokens, layers, largestBlock } = place;
    const each = queriesHeld(H, place);
    const sets = place.isFreeRun ? 1 : H * each;
    const sizes = Array.from({ length: layers }, (_, layer) => lengthsIn(parameters, layer));
    // Queries of one block, or of a pass as many as find the same blocks: until there are more than are chosen, or until the next one.
    const alike = Math.max(
      ...sizes.map((of) => of.initTokens + of.localTokens + (of.selectedBlocks + 1) * of.blockTokens),
    );
    const n = Math.min(Math.max(largestBlock, each), Math.max(chunkTokensOf(parameters), alike));
    const listed = Math.max(...sizes.map((of) => of.initTokens + of.selectedBlocks * of.blockTokens));
    const blocks = Math.max(...sizes.map(({ blockTokens }) => Math.floor(tokens / blockTokens)), 1);
    const representing = Math.max(...sizes.map(({ representativeTokens }) => representativeTokens));
    const leaving = 1 + Math.ceil(n / Math.min(...sizes.map(({ blockTokens }) => blockTokens)));
    const leavingTokens = Math.min(tokens, n + Math.max(...sizes.map(({ blockTokens }) => blockTokens)));
    return [
      { label: 'scores of blocks', elements: sets * (blocks + 1), count: 1 },
      { label: 'kept keys', elements: sets * (Math.min(listed, tokens) + 1), count: 1 },
      // As they are, and as they were where a run returns to; once more while one is made of the other.
      { label: 'attention received', elements: H * tokens, count: 2 * layers + 1 },
      { label: 'representatives of blocks', elements: blocks * H * d, count: layers },
      // Of the blocks that a block of queries moves out of the local window.
      { label: 'representative keys', elements: leaving * representing * H * (d + 1), count: 1 },
      { label: 'keys of blocks', elements: leavingTokens * G * d, count: 1 },
      { label: 'attention received by blocks', elements: leavingTokens * H, count: 1 },
      { label: 'queries at one position', elements: n * H * d, count: 1 },
      // Of local tokens, of far ones, and of both again for what follows attention where nothing attends.
      { label: 'attention to far tokens', elements: n * H * (d + 1), count: 2 },
      { label: 'queries side by side', elements: n * H * d, count: 1 },
    ];
  },
  /** Before a block stand initial tokens, chosen blocks, and what is in none: of the whole blocks so many may be seen. */
  withBudget(parameters, context, keepFraction, places) {
    const budget = Math.floor(keepFraction * context.tokens);
    const starts = studyBlocks(infLlm, parameters, { tokens: context.tokens, ...places }, context);
    let floor = 0;
    const selected = Array.from({ length: context.layers }, (_, layer) => {
      const lengths = lengthsIn(parameters, layer);
      let most = memoryOf(lengths, context.tokens).blocks;
      for (const { start } of starts) {
        const { blocks } = memoryOf(lengths, start);
        floor = Math.max(floor, start - blocks * lengths.blockTokens);
        const dropped = Math.ceil(Math.max(0, start - budget) / lengths.blockTokens);
        if (dropped > 0) most = Math.min(most, blocks - dropped);
      }
      return most;
    });
    const least = Math.min(...selected);
    if (least < 0) return { floor: floor / context.tokens };
    const isUniform = selected.every((count) => count === least);
    return { parameters: { ...parameters, selectedBlocks: isUniform ? least : selected } };
  },
};
