/**
 * StreamingLLM (arXiv 2309.17453): attention sinks and a window of recent tokens, the same for all heads.
 *
 * With original positions kvpress's rule: evict once, keep the first `sinkTokens` and the last, ⌊f·S⌋ in all (kvpress
 * streaming_llm_press.py). With positions in the cache the official one: a window of ⌊f·T⌋ slides while the text is read, and
 * attention sees places inside the cache (streaming_llm/kv_cache.py).
 */
import { equalBlocks } from './blocks';
import { keptAtEviction, keptOfText, withKeepFraction } from './budget';
import { uniformAtEviction } from './budgets/uniform';
import { compose, composeBy, keptLists, type Scorer, token } from './compose';
import { defaultChunkTokens, keepFraction, mostTokens } from './defaults';
import { keepEverything } from './keep-everything';
import type { Method, MethodContext, MethodRun } from './method';
import { choiceOf, numberIn, type Parameters } from './parameters';
import { inCache, inText, positions } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { denseScores } from './units';

/** Whether the window slides while the text is read. */
const slides = (parameters: Parameters): boolean => choiceOf(parameters, 'positions') === 'cache';

/** How `count` kept keys are shared out. */
function split(parameters: Parameters, layer: number, count: number): { sinks: number; recent: number } {
  const sinks = Math.min(numberIn(parameters, 'sinkTokens', layer), count);
  return { sinks, recent: count - sinks };
}

/** Score 1 for sinks and recent tokens, 0 between them: top-k then is kvpress's rule. */
const place: Scorer = {
  name: () => null,
  sets: 'layer',
  score({ ops }, parameters, { layer }, tokens) {
    const { sinks, recent } = split(parameters, layer, keptAtEviction(parameters, layer, tokens));
    const scores = new Float32Array(tokens).fill(1, 0, sinks).fill(1, tokens - recent);
    const buffer = ops.upload(scores, 'sinks and window');
    return inBuffers(ops, [buffer], { score: denseScores(buffer, 1, tokens) });
  },
  candidates(parameters, layer, _tokens, count) {
    const { sinks } = split(parameters, layer, count);
    return { start: sinks, end: sinks };
  },
  decidedBy: 'place',
  operations: () => 0,
};

const evicting = compose({
  ...{ scorer: place, budget: uniformAtEviction, unit: token, schedule: once },
  positions: inText,
});

/** The official cache: what is seen before a block follows from its place alone. */
const sliding: typeof evicting = {
  traits: () => ({
    ...{ decides: 'everyBlock', evicts: true, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'tokens', positions: 'cache', wants: {} },
  }),
  blocks: (_parameters, tokens, _evictAt, context) => equalBlocks(0, tokens, defaultChunkTokens(context)),
  start: slide,
  cost(parameters, context, layer, query) {
    const kept = keptOfText(parameters, layer, context.tokens);
    const keptKeys = Math.min(kept, query.block.start) + query.position + 1 - query.block.start;
    return {
      keptKeys,
      selectionOperations: 0,
      readNumbers: 2 * context.keyValueHeads * context.headDimension * keptKeys,
    };
  },
  onceOperations: () => 0,
  memory: (parameters, place) => [...keptLists(place, place.layers), ...inCache.memory(parameters, place)],
  withBudget: withKeepFraction,
};

export const streamingLlm: Method = {
  id: 'streaming-llm',
  title: 'StreamingLLM',
  summary: 'Keeps the first tokens (attention sinks) and the most recent ones.',
  citation: { authors: 'Xiao, Tian, Chen, Han, Lewis', year: 2023, url: 'https://arxiv.org/abs/2309.17453' },
  presets: {
    paper: { from: 'code' },
    kvpress: { parameters: { sinkTokens: 4 }, evictAfter: 'context' },
  },
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
  ...composeBy((parameters) => (slides(parameters) ? sliding : evicting)),
};

/** Sinks and the window before each block; nothing has to be remembered between blocks. */
function slide(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops } = context;
  return {
    select({ layer, block }) {
      const count = keptOfText(parameters, layer, context.totalTokens);
      if (count >= block.start) return keepEverything(block.start);
      const { sinks, recent } = split(parameters, layer, count);
      const buffer = ops.upload(
        Uint32Array.from({ length: sinks }, (_, token) => token),
        'sinks',
      );
      return {
        list: sinks > 0 ? { buffer, offset: 0, sets: 1, count: sinks, rowStride: sinks } : null,
        rangeStart: block.start - recent,
        candidates: { start: sinks, end: sinks },
        score: null,
        tiedAtCut: null,
        decidedBy: 'place',
        owned: [buffer],
      };
    },
    ...inCache.attend(context, parameters),
    mark() {},
    rewind() {},
    dispose() {},
  };
}
