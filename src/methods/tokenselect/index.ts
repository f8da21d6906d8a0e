/**
 * TokenSelect (arXiv 2411.02886): every block attends to the middle tokens that the query heads of a layer vote for, to the first and to the
 * last ones. Nothing is evicted (pzs19/TokenSelect, patcher/token_retrieval.py: TokenRetriever).
 */
import { equalBlocks, queriesHeld } from '../blocks';
import { keptLists } from '../compose';
import { keepEverything } from '../keep-everything';
import type { LayerInput, Method, MethodContext, MethodRun, QueryBlock, Selection } from '../method';
import { choiceOf, type Parameters } from '../parameters';
import { positionsByChoice } from '../positions';
import { remembered } from '../remember';
import { chunkTokensOf, lengthsIn, tokenSelectParameters, validateTokenSelect } from './schema';
import { type Middle, votes } from './votes';

/** What a block may choose from: what lies before its last n_local tokens, and before the block. Null: everything is seen. */
function middleOf(parameters: Parameters, layer: number, { start, end }: QueryBlock): Middle | null {
  const { initTokens, localTokens, selectedTokens } = lengthsIn(parameters, layer);
  const localStart = Math.min(start, Math.max(0, end - localTokens));
  const initEnd = Math.min(initTokens, localStart);
  return localStart - initEnd > selectedTokens ? { start: initEnd, end: localStart } : null;
}

export const tokenSelect: Method = {
  id: 'tokenselect',
  title: 'TokenSelect',
  summary:
    'Every block sees the middle tokens that all query heads together vote for, and the first and last ones.',
  citation: {
    authors: 'Wu, Pang, Cheng, Liu, Wang, Chen, Zhou, He, Zhang, Xiong',
    year: 2024,
    url: 'https://arxiv.org/abs/2411.02886',
  },
  presets: { paper: { from: 'code' } },
  parameters: tokenSelectParameters,
  traits: (parameters) => ({
    ...{ decides: 'everyBlock', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'tokens', positions: positionsByChoice.of(parameters) },
    wants: { unrotated: true },
  }),
  notes: () => [
    'Every block chooses anew: the authors’ cache of selections, for queries much like the last, is left out. Query heads vote by their own KV head; the published kernel takes another.',
  ],
  validate: validateTokenSelect,
  blocks: (parameters, tokens) => equalBlocks(0, tokens, chunkTokensOf(parameters)),
  start,
  /**
   * The block's queries averaged; one vote of every head over the middle (a product, an exponential, its share and its sum), pooled, for the
   * whole block.
   */
  cost(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, layer, { position, block }) {
    const middle = middleOf(parameters, layer, block);
    const width = 2 * G * d;
    if (!middle) {
      return { keptKeys: position + 1, selectionOperations: 0, readNumbers: width * (position + 1) };
    }
    const { selectedTokens, poolKernel } = lengthsIn(parameters, layer);
    const length = middle.end - middle.start;
    const keptKeys = middle.start + selectedTokens + position + 1 - middle.end;
    const queries = block.end - block.start;
    return {
      keptKeys,
      selectionOperations: H * d + (length * (H * (2 * d + 4) + poolKernel)) / queries,
      readNumbers: width * keptKeys + G * d * length,
    };
  },
  memory: (parameters, place) => {
    const { queryHeads, keyValueHeads, headDimension, tokens, largestBlock } = place;
    const queries = queriesHeld(keyValueHeads, place, largestBlock);
    return [
      ...keptLists(place, 1, queries),
      { label: 'votes by KV head', elements: keyValueHeads * tokens * queries, count: 1 },
      {
        label: 'queries behind the local tokens',
        elements: queryHeads * largestBlock * headDimension,
        count: 1,
      },
      { label: 'mean query', elements: queryHeads * headDimension, count: 2 },
      ...positionsByChoice.memory(parameters, place),
    ];
  },
  withBudget(parameters, { tokens, layers }, keepFraction) {
    const budget = Math.floor(keepFraction * tokens);
    const selected = Array.from({ length: layers }, (_, layer) => {
      const { initTokens, localTokens } = lengthsIn(parameters, layer);
      return budget - Math.min(tokens, initTokens + localTokens);
    });
    const least = Math.min(...selected);
    if (least < 0) return { floor: (budget - least) / tokens };
    const isUniform = selected.every((count) => count === least);
    return { parameters: { ...parameters, selectedTokens: isUniform ? least : selected } };
  },
};

function start(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, memo, keyValueHeads } = context;
  /** The block's choice; with `isEach` that of each of its queries, a block of one. Null: they see everything. */
  const choose = (input: LayerInput, isEach: boolean): Selection[] | null => {
    const { layer, block } = input;
    const { start, end } = block;
    // What holds for the first query holds for all: the later ones have longer middles and the same initial tokens.
    const middle = middleOf(parameters, layer, isEach ? { start, end: start + 1 } : block);
    if (start === end || !middle) return null;
    const queries = isEach ? end - start : 1;
    const { selectedTokens, poolKernel, localTokens } = lengthsIn(parameters, layer);
    const query = choiceOf(parameters, 'scoreQuery');
    const last = { start: middle.start, end: middle.end + queries - 1 };
    const place = [layer, start, end, last.start, last.end, queries].join('/');
    const scores = remembered(memo, `tokenselect/${query}/${localTokens}/${poolKernel}/${place}`, () =>
      votes(context, parameters, input, last, isEach),
    );
    const { score } = scores.value;
    const { buffer, rowStride } = score;
    const count = middle.start + selectedTokens;
    const kept = ops.scratch('u32', queries * count, 'kept tokens');
    const tied = ops.scratch('u32', queries, 'tied at the cut');
    ops.topK({
      ...{ score, count, indexBase: 0, tied: { buffer: tied, offset: 0 } },
      out: { buffer: kept, offset: 0, sets: queries, count, rowStride: count },
    });
    return Array.from({ length: queries }, (_, i): Selection => {
      const candidates = { start: middle.start, end: middle.end + i };
      const length = candidates.end - candidates.start;
      return {
        list: count > 0 ? { buffer: kept, offset: i * count, sets: 1, count, rowStride: count } : null,
        rangeStart: candidates.end,
        candidates,
        score: {
          rows: { buffer, offset: i * rowStride + middle.start, rows: 1, length, rowStride },
          scoreStart: middle.start,
        },
        tiedAtCut: selectedTokens > 0 ? { buffer: tied, offset: i, sets: 1 } : null,
        owned: i === 0 ? [kept, tied, ...scores.owned] : [],
      };
    });
  };
  return {
    select: (input) => choose(input, false)?.[0] ?? keepEverything(input.block.start),
    each: { scoresOfQuery: keyValueHeads, select: (input) => choose(input, true) },
    ...positionsByChoice.attend(context, parameters),
    mark() {},
    rewind() {},
    dispose() {},
  };
}
