/** How much faster ESA's step may be than full attention, by counting operations. */
import { operationsPerKey } from '../src/measure/cost';
import { esaCost, paperOperations } from '../src/methods/esa/cost';
import { partition } from '../src/methods/esa/partition';
import type { ParameterContext, Parameters } from '../src/methods/parameters';

/** One step: the last `blockTokens` of `tokens`, in one layer. */
export interface CountedStep {
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly compressedDim: number;
  readonly tokens: number;
  readonly blockTokens: number;
  readonly initTokens: number;
  readonly localTokens: number;
  readonly selectedTokens: number;
}

export interface AllowedSpeedUps {
  /**
   * Every query counted with all keys of the block, as in the paper (no causal mask), scores compared twice: once for each
   * query's peak, once for each token's.
   */
  readonly twoPasses: number;
  /** As `src/measure/cost.ts` counts it: queries see the keys up to their own. */
  readonly causal: number;
  /** arXiv 2502.14477, App. A: scores once, H·d channels compressed for queries and keys. */
  readonly paper: number;
}

/** Tokens of each part of the text, those that the block attends to, and whether the middle has to be chosen from. */
function partsOf({ tokens, blockTokens, initTokens, localTokens, selectedTokens }: CountedStep) {
  const blockStart = tokens - blockTokens;
  const { initEnd, localStart } = partition(blockStart, initTokens, localTokens);
  const middle = localStart - initEnd;
  const selected = Math.min(selectedTokens, middle);
  return { blockStart, initEnd, localStart, middle, selected, isChosen: middle > selectedTokens };
}

/**
 * Full attention ÷ ESA, per query: keys at 4·d + 3 operations a head; for ESA the keys kept, two comparisons of the middle
 * (4·d' + 3 a token), and the projection of the query and of one new key (4·d_G·d').
 */
export function allowedSpeedUps(step: CountedStep): AllowedSpeedUps {
  const parts = partsOf(step);
  const { queryHeads, keyValueHeads, headDimension, compressedDim, tokens, blockTokens } = step;
  const perKey = operationsPerKey({ queryHeads, headDimension } as ParameterContext);
  const local = step.tokens - parts.localStart;
  const kept = parts.initEnd + parts.selected + local;
  const width = keyValueHeads * headDimension;
  const selection = parts.isChosen ? parts.middle * (4 * compressedDim + 3) + 4 * width * compressedDim : 0;
  const paper = paperOperations({
    queryHeads,
    headDimension,
    compressedDim,
    blockTokens,
    initTokens: parts.initEnd,
    middleTokens: parts.middle,
    localTokens: parts.blockStart - parts.localStart,
    selectedTokens: parts.selected,
  });
  return {
    twoPasses: (perKey * tokens) / (perKey * kept + selection),
    causal: causalSpeedUp(step, perKey),
    paper: parts.isChosen ? paper.full / paper.esa : 1,
  };
}

function causalSpeedUp(step: CountedStep, perKey: number): number {
  const { tokens, blockTokens, queryHeads, keyValueHeads, headDimension } = step;
  const block = { start: tokens - blockTokens, end: tokens };
  const context = { layers: 1, tokens, trainedTokens: null, queryHeads, keyValueHeads, headDimension };
  const parameters: Parameters = {
    projection: 'closed-form',
    initTokens: step.initTokens,
    localTokens: step.localTokens,
    selectedTokens: step.selectedTokens,
    compressedDim: step.compressedDim,
    globalPosition: step.localTokens,
    proximity: 3,
  };
  let full = 0;
  let esa = 0;
  for (let position = block.start; position < block.end; position++) {
    const cost = esaCost(parameters, context, 0, { position, block, evictAt: tokens, promptEnd: tokens });
    full += perKey * (position + 1);
    esa += perKey * cost.keptKeys + cost.selectionOperations;
  }
  return full / esa;
}

/** Operations of full attention and of ESA for the whole block, causal: what bounds their times. */
export function stepOperations(step: CountedStep): { full: number; esa: number } {
  const perKey = operationsPerKey(step as unknown as ParameterContext);
  const { tokens, blockTokens } = step;
  const full = perKey * blockTokens * (tokens - (blockTokens - 1) / 2);
  return { full, esa: full / allowedSpeedUps(step).causal };
}
