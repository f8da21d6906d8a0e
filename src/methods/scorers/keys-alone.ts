/** Scores that a key has by itself or among the others, whatever the queries are: how long it is, how it differs from the mean. */
import type { Ops, ScoreRows } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';
import { sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { Scorer } from '../compose';
import { type ChoiceParameter, choiceOf, type ParameterContext, type Parameters } from '../parameters';
import { inBuffers } from '../remember';
import { denseScores } from '../units';
import { meanRow, rowProducts, withLength } from './rows';

/** A rule that needs nothing but keys. */
export interface KeyRule {
  readonly id: string;
  /** Scores of key [G, n, d], a row for each head. */
  score(ops: Ops, key: Rows, out: ScoreRows): void;
  /** Operations for so many keys of a layer. */
  operations(context: Pick<ParameterContext, 'keyValueHeads' | 'headDimension'>, keys: number): number;
}

/** −‖K_t‖₂: short keys stay (Devoto et al., arXiv 2406.11430; kvpress knorm_press.py). */
export const shortKeys: KeyRule = {
  id: 'knorm',
  score(ops, key, out) {
    const scratch = new Scratch(ops);
    rowProducts(scratch, withLength(scratch, key, -1, 'directions of keys'), key, out);
    scratch.release();
  },
  operations: ({ keyValueHeads: G, headDimension: d }, keys) => G * keys * (2 * d + 1),
};

/**
 * −cos(K_t, a), a the mean of the keys' directions: keys unlike the others stay (KeyDiff, arXiv 2504.15364; kvpress
 * keydiff_press.py).
 */
export const unlikeKeys: KeyRule = {
  id: 'keydiff',
  score(ops, key, out) {
    const { heads, rows } = key;
    const scratch = new Scratch(ops);
    const directions = withLength(scratch, key, 1, 'directions of keys');
    const mean = meanRow(scratch, directions, 'mean direction');
    const opposite = withLength(scratch, mean, -1, 'opposite of the mean direction');
    const { buffer, offset, rowStride: headStride } = out;
    const score = { buffer, offset, heads, rows, channels: 1, headStride, rowStride: 1 };
    ops.matmul({ input: directions, weight: opposite, out: score });
    scratch.release();
  },
  operations: ({ keyValueHeads: G, headDimension: d }, keys) => G * keys * (6 * d + 1),
};

/** A scorer that is such a rule, for keys as the cache has them: rotary positions applied. */
export function byKeyRule(rule: KeyRule): Scorer {
  return {
    name: () => rule.id,
    sets: 'kvHead',
    score({ ops }, _parameters, { key }, tokens) {
      const buffer = ops.scratch('f32', key.heads * tokens, 'scores of keys');
      const score = denseScores(buffer, key.heads, tokens);
      rule.score(ops, sliceRows(key, 0, tokens), score);
      return inBuffers(ops, [buffer], { score });
    },
    operations: (_parameters, context, tokens) => rule.operations(context, tokens),
    memory: (_parameters, { keyValueHeads: G, headDimension: d, tokens }) => [
      { label: 'directions of keys', elements: G * tokens * d, count: 2 },
    ],
  };
}

/** Whose scores a schedule of pieces takes: those that keys have by themselves. */
const keyRules: Readonly<Record<string, KeyRule>> = { keydiff: unlikeKeys, knorm: shortKeys };

export const baseParameter: ChoiceParameter = {
  kind: 'choice',
  label: 'Scores',
  help: 'Whose scores are compared.',
  options: [
    { value: 'keydiff', label: 'KeyDiff', help: 'How a key differs from the mean direction.' },
    { value: 'knorm', label: 'Knorm', help: 'How short a key is.' },
  ],
  default: () => 'keydiff',
};

export const ruleOf = (parameters: Parameters): KeyRule => keyRules[choiceOf(parameters, 'base')]!;
