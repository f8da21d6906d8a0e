import type { ProbabilityInputs } from '../arguments';
import { scoreConstants, scoreParameters } from '../wgsl/parts/score';
import type { CommandEncoder } from './command-encoder';
import type { Work } from './pacer';
import { asVectors } from './vectors';

/** Beyond these everything or nothing is visible. */
const FARTHEST_OFFSET = 2 ** 30;

/** Buffers, parameters and constants of the inputs; `causalOffset` travels as the bits of an i32. */
export function prepareProbabilities(encoder: CommandEncoder, a: ProbabilityInputs) {
  const query = asVectors(encoder, a.query);
  const key = asVectors(encoder, a.key);
  const { window = FARTHEST_OFFSET } = a;
  return {
    constants: { WINDOWED: window < FARTHEST_OFFSET, ...scoreConstants(a) },
    buffers: { query: query.buffer, key: key.buffer, logSumExp: a.logSumExp.buffer },
    parameters: {
      queryRows: query.rows,
      keyRows: key.rows,
      headsPerGroup: query.heads / key.heads,
      vectors: query.channels / 4,
      ...scoreParameters(a),
      causalOffset: Math.max(-FARTHEST_OFFSET, Math.min(FARTHEST_OFFSET, a.causalOffset)),
      window: Math.min(FARTHEST_OFFSET, window),
      queryOffset: query.offset / 4,
      queryHeadStride: query.headStride / 4,
      queryRowStride: query.rowStride / 4,
      keyOffset: key.offset / 4,
      keyHeadStride: key.headStride / 4,
      keyRowStride: key.rowStride / 4,
      logSumExpOffset: a.logSumExp.offset,
      logSumExpHeadStride: a.logSumExp.headStride,
    },
  };
}

/** 2·d operations per query head, query and visible key, and its exponential. */
export function probabilityWork(a: ProbabilityInputs): Work {
  const { query, key } = a;
  const first = Math.max(0, Math.min(key.rows, a.causalOffset + 1));
  const last = Math.max(0, Math.min(key.rows, a.causalOffset + query.rows));
  const seen = Math.min((first + last) / 2, a.window ?? key.rows);
  const pairs = query.heads * query.rows * seen;
  return {
    flops: pairs * (2 * query.channels + 8),
    bytes: 4 * query.heads * (query.rows + key.rows) * query.channels,
  };
}

/** A share of some work. */
export function shareOf(work: Work, share: number): Work {
  return { flops: work.flops * share, bytes: work.bytes * share };
}
