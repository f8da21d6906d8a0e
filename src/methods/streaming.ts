/**
 * Eviction while the text is read and the answer is written: whenever `everyTokens` more are there, the cache is cut to `cacheTokens` by
 * another method's scores of what it holds. kvpress's DecodingPress (decoding_press.py), which does so while decoding alone.
 */
import type { IndexList } from '../../gpu/ops';
import { type DeviceBuffer, headMajorRows, type Rows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { equalBlocks, studyBlocks } from './blocks';
import { fractionKeeping } from './budget';
import type { Scorer, Scores } from './compose';
import { mostTokens, scaledDefault } from './defaults';
import { keepEverything } from './keep-everything';
import { lagRanks } from './lagkv/kvpress';
import { checkSpread } from './lagkv/schema';
import type { LayerInput, Method, MethodContext, MethodRun, Selection } from './method';
import { choiceOf, numberIn, type Parameters } from './parameters';
import { byKeyRule, shortKeys, unlikeKeys } from './scorers/keys-alone';
import { checkWindow, lastQuery, observationWindow } from './scorers/observation-window';
import { snapkvAndLagkvAmong } from './scorers/snapkv-or-lagkv';
import { windowNotices } from './window-notices';

/** Scores that what a cache holds, and the queries since the last cut, are enough for. */
const bases: Readonly<Record<string, Scorer>> = {
  snapkv: observationWindow,
  tova: lastQuery,
  lagkv: lagRanks as Scorer,
  keydiff: byKeyRule(unlikeKeys),
  knorm: byKeyRule(shortKeys),
};
const baseOf = (parameters: Parameters): Scorer => bases[choiceOf(parameters, 'base')]!;

const everyTokensIn = (parameters: Parameters): number => numberIn(parameters, 'everyTokens', 0);
const cacheTokensIn = (parameters: Parameters, layer: number): number =>
  numberIn(parameters, 'cacheTokens', layer);

/** What the scores go by: the number that stays is the cache's, and a fraction, which LagKV's numbers include, no scorer's. */
function ofBase(parameters: Parameters): Parameters {
  const every = everyTokensIn(parameters);
  const { windowTokens: window } = parameters;
  const within = (tokens: number): number => Math.min(tokens, every);
  // A window reaches back to the last cut: the keys of all its tokens are in the cache then.
  const windowTokens = Array.isArray(window) ? window.map(within) : within(window as number);
  return { ...parameters, keepFraction: 1, windowTokens };
}

/** Tokens of whole rounds before `token`; those since then are all seen. */
const endOfRounds = (parameters: Parameters, token: number): number =>
  token - (token % everyTokensIn(parameters));

export const streaming: Method = {
  id: 'streaming',
  title: 'Streaming',
  summary:
    'Cuts the cache to a fixed size after every so many tokens, read or written, by another method’s scores.',
  citation: { authors: 'NVIDIA, kvpress', year: 2024, url: 'https://github.com/NVIDIA/kvpress' },
  presets: {
    kvpress: {
      parameters: {
        everyTokens: 512,
        cacheTokens: 2048,
        windowTokens: 64,
        poolKernel: 5,
        sinkTokens: 4,
        lagTokens: 128,
      },
    },
  },
  parameters: {
    base: {
      kind: 'choice',
      label: 'Scores',
      help: 'Whose scores are compared, of the keys that the cache holds.',
      options: [
        { value: 'snapkv', label: 'SnapKV', help: 'What the last queries attend to.' },
        { value: 'tova', label: 'TOVA', help: 'What the last query attends to, mean over all heads.' },
        { value: 'lagkv', label: 'LagKV', help: 'How spread a key and its value are; ranks, as in kvpress.' },
        { value: 'keydiff', label: 'KeyDiff', help: 'How a key differs from the mean direction.' },
        { value: 'knorm', label: 'Knorm', help: 'How short a key is.' },
      ],
      default: () => 'snapkv',
    },
    everyTokens: {
      kind: 'count',
      label: 'Every',
      help: 'Tokens between two cuts; kvpress calls it compression_interval. One number for all layers.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(16, 32, 512),
      isSameInAllLayers: true,
    },
    cacheTokens: {
      kind: 'count',
      label: 'Cache',
      help: 'Tokens that stay at a cut; kvpress calls it target_size.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(4, 32, 2048),
    },
    ...snapkvAndLagkvAmong(Object.keys(bases)),
  },
  notes: (parameters) => [
    `Between two cuts the cache grows by ${everyTokensIn(parameters)} tokens. kvpress cuts only while it decodes; here the prompt is read in the same steps.`,
    'Scores that need all earlier queries are not offered: a stream keeps none.',
  ],
  validate(parameters, context) {
    const base = choiceOf(parameters, 'base');
    if (base === 'lagkv') checkSpread('streaming', context);
    if (base === 'snapkv') checkWindow('streaming', parameters);
  },
  traits: (parameters) => ({
    ...{ decides: 'whileReading', evicts: true, isNested: false, approximates: false },
    ...{ sets: baseOf(parameters).sets, cache: 'tokens', positions: 'model' },
    wants: baseOf(parameters).wants?.(ofBase(parameters)) ?? {},
  }),
  blocks: (parameters, tokens) => equalBlocks(0, tokens, everyTokensIn(parameters)),
  start,
  cost(parameters, context, layer, { position, block }) {
    const every = everyTokensIn(parameters);
    const size = cacheTokensIn(parameters, layer);
    const end = endOfRounds(parameters, block.start);
    const keptKeys = Math.min(end, size) + position + 1 - end;
    const compared = Math.min(end - every, size) + every;
    return {
      keptKeys,
      // One cut is shared out over the tokens up to the next.
      selectionOperations:
        end > size ? baseOf(parameters).operations(ofBase(parameters), context, compared, layer) / every : 0,
      readNumbers: 2 * context.keyValueHeads * context.headDimension * keptKeys,
    };
  },
  memory(parameters, place) {
    const { keyValueHeads: G, headDimension: d, layers, tokens } = place;
    const size = (layer: number): number => cacheTokensIn(parameters, layer) + everyTokensIn(parameters);
    const all = Math.min(tokens, Math.max(...Array.from({ length: layers }, (_, layer) => size(layer))));
    return [
      // Those of now, those returned to after an answer, and those that a selection still shows.
      { label: 'scores', elements: 2 * G * all, count: 3 * layers },
      { label: 'tokens in the cache', elements: 2 * G * all + G, count: 3 * layers },
      { label: 'keys and values in the cache', elements: G * all * d, count: 2 },
      ...(baseOf(parameters).memory?.(ofBase(parameters), { ...place, tokens: all }) ?? []),
    ];
  },
  withBudget(parameters, context, keepFraction, places) {
    const { tokens } = context;
    if (keepFraction >= 1) return { parameters: { ...parameters, cacheTokens: tokens } };
    const starts = studyBlocks(streaming, parameters, { ...places, tokens }, context);
    // What a block finds beside the cache: tokens of the round that is under way.
    const open = starts.reduce(
      (most, { start }) => Math.max(most, start - endOfRounds(parameters, start)),
      0,
    );
    const cacheTokens = Math.floor(keepFraction * tokens) - open;
    return cacheTokens >= 1
      ? { parameters: { ...parameters, cacheTokens } }
      : { floor: fractionKeeping(Math.min(tokens, 1 + open), tokens) };
  },
};

/** What a layer's cache holds after `end` tokens. */
interface Cache {
  readonly end: number;
  readonly kept: IndexList;
  /** The tokens that were compared at the last cut, and their scores. */
  readonly compared: IndexList;
  readonly scores: Scores;
  readonly tied: DeviceBuffer;
  /** Compared places whose fate the scores decided. */
  readonly open: { readonly start: number; readonly end: number };
}

const listOf = (buffer: DeviceBuffer, sets: number, count: number): IndexList => ({
  ...{ buffer, offset: 0, sets, count, rowStride: count },
});

/** One number for each of so many tokens, of every head. */
const column = (buffer: DeviceBuffer, heads: number, rows: number): Rows =>
  headMajorRows(buffer, heads, rows, 1);

function start(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, keyValueHeads, queryHeads } = context;
  const scorer = baseOf(parameters);
  const every = everyTokensIn(parameters);
  const caches = new Map<number, Cache>();
  let marked = new Map<number, Cache>();
  const scored: Scores[] = [];

  const buffersOf = ({ kept, compared, scores, tied }: Cache): DeviceBuffer[] => [
    ...[kept.buffer, compared.buffer, tied],
    ...scores.buffers,
  ];

  /** The tokens before the cut at `end`, for every set: what the cache held, and what was read since. */
  function join(scratch: Scratch, before: Cache | undefined, end: number): IndexList {
    const sets = { layer: 1, kvHead: keyValueHeads, queryHead: queryHeads }[scorer.sets];
    const held = before?.kept.count ?? 0;
    // Until something was dropped everything is compared.
    const first = before?.end ?? 0;
    const fresh = end - first;
    const buffer = ops.scratch('u32', sets * (held + fresh), 'tokens compared');
    const rows = column(buffer, sets, held + fresh);
    const range = (from: number, count: number, label: string): DeviceBuffer =>
      scratch.upload(
        Uint32Array.from({ length: count }, (_, i) => from + i),
        label,
      );
    const places = range(0, Math.max(held, fresh), 'places');
    if (before)
      ops.gatherListed({
        input: column(before.kept.buffer, sets, held),
        list: listOf(places, 1, held),
        out: sliceRows(rows, 0, held),
      });
    ops.gatherListed({
      input: column(range(first, fresh, 'tokens since the last cut'), 1, fresh),
      list: listOf(places, 1, fresh),
      out: sliceRows(rows, held, fresh),
    });
    return listOf(buffer, sets, held + fresh);
  }

  function cut(input: LayerInput, before: Cache | undefined, end: number): Cache {
    const { layer } = input;
    const count = cacheTokensIn(parameters, layer);
    const scratch = new Scratch(ops);
    const compared = join(scratch, before, end);
    const { sets, count: all } = compared;
    const gathered = (rows: Rows, label: string): Rows => {
      const out = scratch.rows(rows.heads, all, rows.channels, label);
      ops.gatherListed({ input: sliceRows(rows, 0, end), list: compared, out });
      return out;
    };
    // To the scorer the cache is a text of its own; queries and keys keep the positions they were read at.
    const held: LayerInput = {
      ...{ layer, block: { start: all, end: all }, query: input.query },
      key: gathered(input.key, 'keys in the cache'),
      value: gathered(input.value, 'values in the cache'),
      ...{ queryUnrotated: null, keyUnrotated: null, hidden: null, logSumExp: null },
      queriesBefore: () => input.queriesBefore(end),
      ...{ prompt: () => null, inLayer: () => null, atBlock: () => null },
    };
    const scores = scorer.score(context, ofBase(parameters), held, all, null);
    scored.push(scores);
    const { score, secondary } = scores;
    const tied = ops.scratch('u32', sets, 'tied at the cut');
    const places = listOf(scratch.integers(sets * count, 'places kept'), sets, count);
    ops.topK({
      score,
      ...(secondary ? { secondary } : {}),
      ...{ count, indexBase: 0, out: places, tied: { buffer: tied, offset: 0 } },
    });
    const kept = listOf(ops.scratch('u32', sets * count, 'tokens in the cache'), sets, count);
    ops.gatherListed({
      input: column(compared.buffer, sets, all),
      list: places,
      out: column(kept.buffer, sets, count),
    });
    scratch.release();
    const open = scorer.candidates?.(ofBase(parameters), layer, all, count) ?? { start: 0, end: all };
    return { end, kept, compared, scores, tied, open };
  }

  /** Tokens whose fate the last cut decided: those of the latest round that stay whatever their scores come after them. */
  function candidatesOf({ end, compared, open }: Cache): Selection['candidates'] {
    const last = Math.max(end - every, end - (compared.count - open.end));
    return { start: Math.min(open.start, last), end: last };
  }

  return {
    select(input) {
      const { layer, block } = input;
      const end = endOfRounds(parameters, block.start);
      if (end <= cacheTokensIn(parameters, layer)) return keepEverything(block.start);
      const owned: DeviceBuffer[] = [];
      let cache = caches.get(layer);
      if (cache?.end !== end) {
        const next = cut(input, cache, end);
        // Earlier selections may still show what was held until now: this one is released after them.
        if (cache && marked.get(layer) !== cache) owned.push(...buffersOf(cache));
        caches.set(layer, next);
        cache = next;
      }
      const { score, secondary } = cache.scores;
      return {
        list: cache.kept,
        rangeStart: end,
        candidates: candidatesOf(cache),
        score: {
          rows: score,
          ...(secondary ? { secondary } : {}),
          ...{ scoreStart: 0, tokens: cache.compared },
        },
        tiedAtCut: { buffer: cache.tied, offset: 0, sets: cache.kept.sets },
        owned,
      };
    },
    notices: windowNotices(
      scorer,
      ofBase(parameters),
      context.layers,
      endOfRounds(parameters, context.totalTokens),
      (layer) => cacheTokensIn(parameters, layer),
    ),
    ...(scorer.lateNotices ? { lateNotices: () => scorer.lateNotices!(scored) } : {}),
    mark() {
      marked = new Map(caches);
    },
    rewind() {
      for (const [layer, cache] of caches) if (marked.get(layer) !== cache) ops.release(...buffersOf(cache));
      caches.clear();
      for (const [layer, cache] of marked) caches.set(layer, cache);
    },
    dispose() {
      for (const cache of new Set([...caches.values(), ...marked.values()])) ops.release(...buffersOf(cache));
      caches.clear();
      marked.clear();
    },
  };
}
