/**
 * kvpress's BlockPress (block_press.py), which stands for a prefill in blocks with an eviction after each, as KeyDiff's paper has it
 * (arXiv 2504.15364): a cache of the final size goes along the text, and takes in block after block.
 */
import type { IndexList } from '../../gpu/ops';
import { type DeviceBuffer, headMajorRows, type Rows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtLeastOne } from './budgets/uniform';
import { type Budget, compose, type Kept, type Scorer, type Scores, token } from './compose';
import { keepFraction, mostTokens, scaledDefault } from './defaults';
import type { Method } from './method';
import { numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { baseParameter, ruleOf } from './scorers/keys-alone';
import { denseScores } from './units';

/** How often each key stayed, and what the cache is in the end. */
interface Survived extends Scores {
  readonly kept: Kept;
}

const blockTokensIn = (parameters: Parameters, layer: number): number =>
  numberIn(parameters, 'blockTokens', layer);

const countOf = (parameters: Parameters, layer: number, tokens: number, layers: number): number =>
  uniformAtLeastOne.count(parameters, layer, tokens, tokens, layers);

/** Blocks that a cache of `count` keys takes in. */
const roundsOf = (parameters: Parameters, layer: number, tokens: number, count: number): number =>
  Math.ceil(Math.max(0, tokens - count) / blockTokensIn(parameters, layer));

/** One number for each of so many tokens, of every head. */
const column = (buffer: DeviceBuffer, heads: number, rows: number): Rows =>
  headMajorRows(buffer, heads, rows, 1);

const goingAlong: Scorer<Survived> = {
  // What is dropped early depends on how much room there is.
  name: () => null,
  sets: 'kvHead',
  score({ ops, layers }, parameters, { layer, key }, tokens) {
    const { heads: sets, channels } = key;
    const count = countOf(parameters, layer, tokens, layers);
    const rounds = roundsOf(parameters, layer, tokens, count);
    const length = blockTokensIn(parameters, layer);
    const scratch = new Scratch(ops);
    const listOf = (buffer: DeviceBuffer, of: number): IndexList => ({
      ...{ buffer, offset: 0, sets, count: of, rowStride: of },
    });
    const numbers = scratch.upload(
      Uint32Array.from({ length: tokens }, (_, t) => t),
      'numbers',
    );
    const from = (start: number, of: number): IndexList => ({
      ...{ buffer: numbers, offset: start, sets: 1, count: of, rowStride: of },
    });
    const zero = column(scratch.keep(ops.allocate('f32', sets * tokens, 'zeros')), sets, tokens);
    const survived = ops.allocate('f32', sets * tokens, 'blocks survived');
    const tied = ops.scratch('u32', sets, 'tied at the cut');
    let kept = ops.scratch('u32', sets * count, 'kept keys');
    ops.gatherListed({
      input: column(numbers, 1, tokens),
      list: from(0, count),
      out: column(kept, sets, count),
    });
    for (let round = 0; round < rounds; round++) {
      const start = count + round * length;
      const fresh = Math.min(length, tokens - start);
      const all = count + fresh;
      const inRound = new Scratch(ops);
      const current = inRound.integers(sets * all, 'keys compared');
      const rows = column(current, sets, all);
      ops.gatherListed({
        input: column(kept, sets, count),
        list: from(0, count),
        out: sliceRows(rows, 0, count),
      });
      ops.gatherListed({
        input: column(numbers, 1, tokens),
        list: from(start, fresh),
        out: sliceRows(rows, count, fresh),
      });
      const keys = inRound.rows(sets, all, channels, 'keys compared');
      ops.gatherListed({ input: key, list: listOf(current, all), out: keys });
      const score = denseScores(inRound.floats(sets * all, 'scores of keys'), sets, all);
      ruleOf(parameters).score(ops, keys, score);
      const places = listOf(inRound.integers(sets * count, 'places kept'), count);
      ops.topK({ score, count, indexBase: 0, out: places, tied: { buffer: tied, offset: 0 } });
      const next = ops.scratch('u32', sets * count, 'kept keys');
      ops.gatherListed({ input: rows, list: places, out: column(next, sets, count) });
      ops.release(kept);
      kept = next;
      inRound.release();
      // Attention among zeros is 1 for every key that is seen, times the points: those that stay to the end come first.
      const points = round === rounds - 1 ? rounds : 1;
      const logarithm = scratch.upload(new Float32Array(sets).fill(-Math.log(points)), 'points');
      ops.accumulatedAttention({
        ...{ query: sliceRows(zero, 0, 1), key: zero, scale: 1, accumulate: true },
        logSumExp: { buffer: logarithm, offset: 0, headStride: 1 },
        visible: { list: listOf(kept, count), range: { start: tokens, end: tokens, causal: false } },
        out: denseScores(survived, sets, tokens),
      });
    }
    scratch.release();
    return inBuffers(ops, [survived], {
      score: denseScores(survived, sets, tokens),
      kept: { list: listOf(kept, count), tied, tiedSets: sets },
    });
  },
  operations(parameters, context, tokens, layer) {
    const count = countOf(parameters, layer, tokens, context.layers);
    const compared = count + Math.min(blockTokensIn(parameters, layer), tokens);
    return roundsOf(parameters, layer, tokens, count) * ruleOf(parameters).operations(context, compared);
  },
  memory: (_parameters, { keyValueHeads: G, headDimension: d, tokens }) => [
    { label: 'keys compared', elements: G * tokens * (d + 3), count: 1 },
    { label: 'directions of keys', elements: G * tokens * d, count: 2 },
    { label: 'zeros', elements: G * tokens, count: 1 },
  ],
};

const asItWent: Budget = {
  ...uniformAtLeastOne,
  // The scores were made on the way to it.
  keep: (_ops, _parameters, _layer, scores) => (scores as Survived).kept,
};

export const block: Method = {
  id: 'block',
  title: 'Block by block',
  summary:
    'A cache of fixed size goes along the text, and keeps the best of its keys and the next block’s by another method’s scores.',
  citation: {
    authors: 'Park, Jones, Morse, Goel, Lee, Lott',
    year: 2025,
    url: 'https://arxiv.org/abs/2504.15364',
  },
  presets: {
    kvpress: { parameters: { blockTokens: 128 }, evictAfter: 'context' },
  },
  parameters: {
    base: baseParameter,
    keepFraction,
    blockTokens: {
      kind: 'count',
      label: 'Block',
      help: 'Tokens that are taken in at a time. kvpress calls it block_size, 128 by default.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(16, 16, 128),
    },
  },
  notes: () => [
    'kvpress’s simulation (BlockPress): keys come from a text that was read with full attention, where the paper reads every block with what the cache still holds.',
  ],
  ...compose({
    ...{ scorer: goingAlong, budget: asItWent, unit: token, schedule: once },
    positions: inText,
  }),
};
