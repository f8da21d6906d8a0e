/** Another method's scores s and, from them, (s + ε)·ν: what CriticalKV and CriticalAdaKV choose by. */
import type { IndexList, Ops, ScoreRows } from '../../../gpu/ops';
import { type DeviceBuffer, headMajorRows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { Scorer, Scores } from '../compose';
import { neededOutputWeight } from '../injected';
import { choiceOf, INJECTED, numberIn, type ParameterSchemas, type Parameters } from '../parameters';
import { inBuffers } from '../remember';
import { asColumn, PROTECTED, rowProducts } from '../scorers/rows';
import { baseOf } from '../scorers/snapkv-or-lagkv';
import { denseScores } from '../units';
import { MOST_PRODUCTS, projectedNorms } from './projected-values';

/** `score` is (s + ε)·ν. */
export interface CriticalScores extends Scores {
  readonly base: Pick<Scores, 'score' | 'secondary'>;
}

export const criticalParameters: ParameterSchemas = {
  firstStage: {
    kind: 'fraction',
    label: 'First stage',
    help: 'Share of the keys that are kept by the other method’s scores alone; the rest by these times the value’s weight. kvpress calls it first_stage_ratio.',
    minimum: 0,
    maximum: 1,
    unit: '%',
    default: () => 0.5,
  },
  epsilon: {
    kind: 'fraction',
    label: 'Added to scores',
    symbol: 'ε',
    help: 'So that a key which scores next to nothing, but whose value weighs much, can stay.',
    minimum: 0,
    maximum: 1,
    unit: '',
    default: () => 0.0001,
  },
  outputProjection: {
    kind: 'choice',
    label: 'Values are weighed',
    help: 'By the length of what they are in the layer’s output, or by their own.',
    options: [
      {
        value: INJECTED,
        label: 'projected',
        help: 'W_O of the model, or of a capture that has it.',
      },
      { value: 'identity', label: 'as they are', help: 'Without W_O.' },
    ],
    default: () => INJECTED,
  },
};

const usesWeight = (parameters: Parameters): boolean => choiceOf(parameters, 'outputProjection') === INJECTED;

/** How many keys the other method's scores keep when `count` of `tokens` stay in each set, or on average. */
export interface FirstStageSize {
  /** In every set, for certain. */
  least(parameters: Parameters, layer: number, tokens: number, count: number): number;
  /** In a set that keeps so many. */
  of(kept: number, parameters: Parameters, layer: number, tokens: number, count: number): number;
  readonly isLaterFirst: boolean;
}

export function criticalScorer(
  id: string,
  base: Scorer,
  { least, of, isLaterFirst }: FirstStageSize,
): Scorer<CriticalScores> {
  return {
    firstStage: ({ base: own }, parameters, layer, tokens, count) => ({
      ...{ rows: own.score, isLaterFirst, ...(own.secondary ? { secondary: own.secondary } : {}) },
      count: (kept) => of(kept, parameters, layer, tokens, count),
      names: {
        score: baseOf(parameters) === 'lagkv' ? 'LagKV’s score' : 'SnapKV’s score',
        factor: `the norm of its value${usesWeight(parameters) ? ' through W_O' : ''}`,
      },
    }),
    sets: base.sets,
    wants: (parameters) => ({ ...base.wants?.(parameters), outputWeight: usesWeight(parameters) }),
    ...(base.window && { window: base.window }),
    name(parameters, layer) {
      const name = base.name(parameters, layer);
      const epsilon = numberIn(parameters, 'epsilon', layer);
      return name && `critical/${epsilon}/${choiceOf(parameters, 'outputProjection')}/${name}`;
    },
    score(context, parameters, input, tokens, followed) {
      const { ops, queryHeads } = context;
      const weight = usesWeight(parameters) ? neededOutputWeight(id, context, input.layer) : null;
      const made = base.score(context, parameters, input, tokens, followed);
      const { rows: G } = made.score;
      const scratch = new Scratch(ops);
      const epsilon = numberIn(parameters, 'epsilon', input.layer);
      const raised = denseScores(
        scratch.upload(new Float32Array(G * tokens).fill(epsilon), 'raised scores'),
        G,
        tokens,
      );
      ops.sumHeads({ input: asColumn(made.score), out: asColumn(raised), accumulate: true });
      const weights = denseScores(scratch.floats(G * tokens, 'weights of values'), G, tokens);
      projectedNorms(scratch, sliceRows(input.value, 0, tokens), weight, queryHeads, weights);
      const buffer = ops.scratch('f32', G * tokens, 'critical scores');
      const score = denseScores(buffer, G, tokens);
      rowProducts(scratch, asColumn(raised), asColumn(weights), score);
      scratch.release();
      const { score: own, secondary } = made;
      return inBuffers(ops, [buffer, ...made.buffers], {
        ...{ score, base: { score: own, ...(secondary ? { secondary } : {}) } },
      });
    },
    // What the other method keeps whatever its scores stays for certain where the first stage has room for it.
    candidates: (parameters, layer, tokens, count) =>
      base.candidates?.(parameters, layer, tokens, least(parameters, layer, tokens, count)) ?? {
        start: 0,
        end: tokens,
      },
    operations(parameters, context, tokens, layer) {
      const { queryHeads: H, keyValueHeads: G, headDimension: d } = context;
      // D is H·d in the models that we know of.
      const [heads, outputs] = usesWeight(parameters) ? [H, H * d] : [G, d];
      return (
        base.operations(parameters, context, tokens, layer) + tokens * (heads * outputs * (2 * d + 2) + 3 * G)
      );
    },
    memory: (parameters, place) => [
      ...(base.memory?.(parameters, place) ?? []),
      { label: 'values projected', elements: MOST_PRODUCTS, count: 2 },
      { label: 'weights of values', elements: place.keyValueHeads * place.tokens, count: 4 },
      {
        label: 'output projection of a head and its opposite',
        elements: 2 * place.hiddenSize * place.headDimension,
        count: 1,
      },
      // The other method's scores stay beside these.
      {
        label: 'scores of the first stage',
        elements: 2 * place.keyValueHeads * place.tokens,
        count: place.layers,
      },
    ],
  };
}

/** Numbers that are `points` for the listed tokens of each set and 0 for others, added to dense `out` [sets, n]. */
export function addPoints(scratch: Scratch, list: IndexList, points: number, out: ScoreRows): void {
  const { rows: sets, length } = out;
  const { ops } = scratch;
  const zero = headMajorRows(scratch.keep(ops.allocate('f32', sets * length, 'zeros')), sets, length, 1);
  // Attention among zeros is 1 for every key that is seen, times the points.
  const logarithm = scratch.upload(new Float32Array(sets).fill(-Math.log(points)), 'points');
  ops.accumulatedAttention({
    ...{ query: sliceRows(zero, 0, 1), key: zero, scale: 1, accumulate: true, out },
    logSumExp: { buffer: logarithm, offset: 0, headStride: 1 },
    visible: { list, range: { start: length, end: length, causal: false } },
  });
}

/** The best `count` of every set by the other method's scores; the caller releases the buffer. */
export function firstStage(ops: Ops, { base }: Pick<CriticalScores, 'base'>, count: number): IndexList {
  const { rows: sets } = base.score;
  const buffer: DeviceBuffer = ops.scratch('u32', sets * count, 'kept in the first stage');
  const list = { buffer, offset: 0, sets, count, rowStride: count };
  ops.topK({ ...base, count, indexBase: 0, out: list });
  return list;
}

/** A copy of `score` in which what the first stage keeps comes before everything else. */
export function withFirstStage(scratch: Scratch, score: ScoreRows, list: IndexList): ScoreRows {
  const { rows, length } = score;
  const copy = denseScores(scratch.floats(rows * length, 'scores of both stages'), rows, length);
  scratch.ops.sumHeads({ input: asColumn(score), out: asColumn(copy) });
  addPoints(scratch, list, PROTECTED, copy);
  return copy;
}
