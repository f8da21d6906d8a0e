/** What ESA costs: as the paper counts (arXiv 2502.14477, App. A), and as it is done here. */
import type { QueryCost, QueryPlace } from '../method';
import type { ParameterContext, Parameters } from '../parameters';
import { choiceOf } from '../parameters';
import { partition } from './partition';
import { isExact, lengthsIn } from './schema';

/** One step of one layer in the paper's terms. */
export interface PaperStep {
  readonly queryHeads: number;
  readonly headDimension: number;
  /** Null: scores are not compressed. */
  readonly compressedDim: number | null;
  readonly blockTokens: number;
  readonly initTokens: number;
  readonly middleTokens: number;
  readonly localTokens: number;
  readonly selectedTokens: number;
}

/**
 * App. A: 2 operations per multiply-add, softmax 3 per logit and head, no causal mask, comparisons left out, scores once.
 * With d_H = H·d and S = l_C: full (4·d_H + 3·H)·S·(l_I + l_M + l_L + S); reduction 4·S·d_H·d' + 2·S·d'; selection
 * 2·l_M·S·d' + l_M·S; attention (4·d_H + 3·H)·S·(l_I + l_L + S + k). Without compression d' = d_H and nothing is reduced.
 */
export function paperOperations(step: PaperStep): { full: number; esa: number } {
  const { compressedDim, blockTokens, initTokens, middleTokens, localTokens, selectedTokens } = step;
  const width = step.queryHeads * step.headDimension;
  const perKey = (4 * width + 3 * step.queryHeads) * blockTokens;
  const isReduced = compressedDim !== null;
  const reduction = isReduced ? 4 * blockTokens * width * compressedDim + 2 * blockTokens * compressedDim : 0;
  const selection = 2 * middleTokens * blockTokens * (compressedDim ?? width) + middleTokens * blockTokens;
  const near = initTokens + localTokens + blockTokens;
  return {
    full: perKey * (near + middleTokens),
    esa: reduction + selection + perKey * (near + selectedTokens),
  };
}

/** The paper's count of one query: of a step of its block, shared out. Nothing is reduced or scored where all of the middle stays. */
export function esaPaperCost(
  parameters: Parameters,
  context: ParameterContext,
  layer: number,
  { block }: QueryPlace,
): { full: number; method: number } {
  const { queryHeads, headDimension } = context;
  const { initTokens, localTokens, selectedTokens, compressedDim } = lengthsIn(parameters, layer);
  const { initEnd, localStart } = partition(block.start, initTokens, localTokens);
  const blockTokens = block.end - block.start;
  const middleTokens = localStart - initEnd;
  const { full, esa } = paperOperations({
    queryHeads,
    headDimension,
    compressedDim: isExact(parameters) ? null : compressedDim,
    blockTokens,
    initTokens: initEnd,
    middleTokens,
    localTokens: block.start - localStart,
    selectedTokens,
  });
  const isChosen = middleTokens > selectedTokens;
  return { full: full / blockTokens, method: (isChosen ? esa : full) / blockTokens };
}

/**
 * As done here, per query: queries are folded to K = d_G channels ((H−G)·d additions), compressed to d' together with the
 * token's own key (2·d_G·d' each, + d' for a learned bias), and compared with all l_M middle tokens twice, once for each
 * query's peak (2·K + 1) and once for each token's (2·K + 2). A block of one needs its peak alone: one pass (2·K + 1) and a
 * subtraction. The dilation's (1 + 2ε)·l_M comparisons serve the whole block.
 */
export function esaCost(
  parameters: Parameters,
  context: ParameterContext,
  layer: number,
  { position, block }: QueryPlace,
): QueryCost {
  const { queryHeads, keyValueHeads, headDimension } = context;
  const { initTokens, localTokens, selectedTokens, proximity, compressedDim } = lengthsIn(parameters, layer);
  const { initEnd, localStart } = partition(block.start, initTokens, localTokens);
  const width = keyValueHeads * headDimension;
  const middle = localStart - initEnd;
  const keptKeys = initEnd + Math.min(selectedTokens, middle) + position + 1 - localStart;
  const attended = 2 * width * keptKeys;
  if (middle <= selectedTokens) return { keptKeys, selectionOperations: 0, readNumbers: attended };

  const channels = isExact(parameters) ? width : compressedDim;
  const bias = choiceOf(parameters, 'projection') === 'learned' ? compressedDim : 0;
  const projection = isExact(parameters) ? 0 : 4 * width * compressedDim + bias;
  const folding = (queryHeads - keyValueHeads) * headDimension;
  const queries = block.end - block.start;
  const comparison = middle * (queries === 1 ? 2 * channels + 2 : 4 * channels + 3);
  const dilation = ((1 + 2 * proximity) * middle) / queries;
  return {
    keptKeys,
    selectionOperations: folding + projection + comparison + dilation,
    readNumbers: attended + middle * channels,
  };
}
