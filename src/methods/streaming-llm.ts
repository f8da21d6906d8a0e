/**
 * StreamingLLM (arXiv 2309.17453): attention sinks and a window of recent tokens, the same for all heads.
 *
 * With original positions kvpress's rule: evict once, keep the first `sinkTokens` and the last, ⌊f·S⌋ in all (kvpress
 * streaming_llm_press.py). With positions in the cache the official one: a window of ⌊f·T⌋ slides while the text is read, and
 * attention sees places inside the cache (streaming_llm/kv_cache.py).
 */
import { equalBlocks } from './blocks';
import { evictOnceBudget, keptAtEviction, keptOfText, withKeepFraction } from './budget';
import { attendInCache } from './cache-positions';
import { defaultChunkTokens, keepFraction, mostTokens, positions, positionsByChoice } from './defaults';
import { denseScores, evictOnce, evictOnceBlocks, evictOnceCost } from './evict-once';
import { keepEverything } from './full';
import type { Method, MethodContext, MethodRun } from './method';
import { choiceOf, numberIn, type Parameters } from './parameters';
import { inBuffers } from './remember';

const costOfEviction = evictOnceCost(() => 0);

/** Whether the window slides while the text is read. */
const slides = (parameters: Parameters): boolean => choiceOf(parameters, 'positions') === 'cache';

export const streamingLlm: Method = {
  id: 'streaming-llm',
  title: 'StreamingLLM',
  summary: 'Keeps the first tokens (attention sinks) and the most recent ones.',
  citation: { authors: 'Xiao, Tian, Chen, Han, Lewis', year: 2023, url: 'https://arxiv.org/abs/2309.17453' },
  family: 'evict-once',
  sets: 'layer',
  needs: { unrotated: false, fullAttention: false },
  parameters: {
    keepFraction: {
      ...keepFraction,
      help: 'Keys that stay, as a fraction of the tokens before the eviction (positions in the text) or of the whole text (in the cache). kvpress gives the fraction removed and calls it compression_ratio.',
    },
    sinkTokens: {
      kind: 'count',
      label: 'Sink tokens',
      symbol: 'start_size',
      help: 'First tokens of the text, always kept; kvpress calls them n_sink.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      default: () => 4,
      paper: 4,
    },
    positions,
  },
  notes: (parameters) =>
    slides(parameters)
      ? ['As the official cache: the window slides while the text is read, one block at a time.']
      : [],
  positions: positionsByChoice,
  blocks(parameters, tokens, evictAt, context) {
    if (!slides(parameters)) return evictOnceBlocks(parameters, tokens, evictAt, context);
    return equalBlocks(0, tokens, defaultChunkTokens(context));
  },
  evictsOnce: (parameters) => !slides(parameters),
  start: (context, parameters) =>
    slides(parameters) ? slide(context, parameters) : evict(context, parameters),
  cost(parameters, context, layer, query) {
    if (!slides(parameters)) return costOfEviction(parameters, context, layer, query);
    const kept = keptOfText(parameters, layer, context.tokens);
    const keptKeys = Math.min(kept, query.block.start) + query.position + 1 - query.block.start;
    return {
      keptKeys,
      selectionOperations: 0,
      readNumbers: 2 * context.keyValueHeads * context.headDimension * keptKeys,
    };
  },
  withBudget: (parameters, ...rest) =>
    (slides(parameters) ? withKeepFraction : evictOnceBudget)(parameters, ...rest),
};

/** Score 1 for sinks and recent tokens, 0 between them: top-k then is kvpress's rule. */
function evict(context: MethodContext, parameters: Parameters): MethodRun {
  const split = (layer: number, count: number): { sinks: number; recent: number } => {
    const sinks = Math.min(numberIn(parameters, 'sinkTokens', layer), count);
    return { sinks, recent: count - sinks };
  };
  return evictOnce(context, parameters, {
    name: null,
    score({ ops }, { layer }, tokens) {
      const { sinks, recent } = split(layer, keptAtEviction(parameters, layer, tokens));
      const scores = new Float32Array(tokens).fill(1, 0, sinks).fill(1, tokens - recent);
      const buffer = ops.upload(scores, 'sinks and window');
      return inBuffers(ops, [buffer], { score: denseScores(buffer, 1, tokens) });
    },
    decidedBy: 'place',
    candidates: (layer, _tokens, count) => ({
      start: split(layer, count).sinks,
      end: split(layer, count).sinks,
    }),
  });
}

/** Sinks and the window before each block; nothing has to be remembered between blocks. */
function slide(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops } = context;
  return {
    positions: 'cache',
    select({ layer, block }) {
      const count = keptOfText(parameters, layer, context.totalTokens);
      if (count >= block.start) return keepEverything(block.start);
      const sinks = Math.min(numberIn(parameters, 'sinkTokens', layer), count);
      const buffer = ops.upload(
        Uint32Array.from({ length: sinks }, (_, token) => token),
        'sinks',
      );
      return {
        list: sinks > 0 ? { buffer, offset: 0, sets: 1, count: sinks, rowStride: sinks } : null,
        rangeStart: block.start - (count - sinks),
        candidates: { start: sinks, end: sinks },
        score: null,
        tiedAtCut: null,
        decidedBy: 'place',
        owned: [buffer],
      };
    },
    attend: (...args) => attendInCache(context, ...args),
    mark() {},
    rewind() {},
    dispose() {},
  };
}
