/**
 * LagKV as kvpress has it (lagkv_press.py, LagKVPress.score): the same partition score, replaced by its rank inside the
 * partition, so that all partitions compete for one budget; sinks and the last, unscored tokens rank highest.
 */

import { sliceRows } from '../../../gpu/rows';
import type { Scorer, Scores } from '../compose';
import type { ParameterContext } from '../parameters';
import { inBuffers } from '../remember';
import { denseScores } from '../units';
import { constantChannelNotices, readConstantChannels } from './constant-channels';
import { compressedPartitions } from './partitions';
import { type Lag, lagIn } from './schema';

/** Ranks, and the raw scores that break their ties. */
interface LagRanks extends Scores {
  readonly constantChannels: Promise<number> | null;
}

/**
 * Per token, keys and values alike: range of the next partition 2, scaling 2, mean and deviation 4 operations a channel, and a
 * softmax over the partition.
 */
export const scoringOperations = (context: ParameterContext): number =>
  2 * context.keyValueHeads * (8 * context.headDimension + 3);

export const lagRanks: Scorer<LagRanks> = {
  sets: 'kvHead',
  name(parameters, layer) {
    const { sinkTokens, lagTokens, valueWeight } = lagIn(parameters, layer);
    return `lagkv/${sinkTokens}/${lagTokens}/${valueWeight}`;
  },
  lateNotices: constantChannelNotices,
  score({ ops }, parameters, input, tokens): LagRanks {
    const lag = lagIn(parameters, input.layer);
    const { key, value } = input;
    const rows = key.heads;
    const partitions = compressedPartitions(tokens, lag);
    if (partitions === 0) {
      const ramp = recencyRamp(tokens, lag);
      const all = Float32Array.from({ length: rows * tokens }, (_, i) => ramp[i % tokens]!);
      const buffer = ops.upload(all, 'recency');
      const score = denseScores(buffer, rows, tokens);
      return inBuffers(ops, [buffer], { score, constantChannels: null });
    }
    const { sinkTokens, lagTokens, valueWeight } = lag;
    const scored = partitions * lagTokens;
    const score = ops.upload(new Float32Array(rows * tokens).fill(1), 'lag ranks');
    const raw = ops.allocate('f32', rows * tokens, 'lag scores');
    const middle = (buffer: typeof raw) => ({
      ...denseScores(buffer, rows, tokens),
      offset: sinkTokens,
      length: scored,
    });
    const counter = ops.allocate('u32', 1, 'constant channels');
    ops.lagScores({
      key: sliceRows(key, sinkTokens, scored + lagTokens),
      value: sliceRows(value, sinkTokens, scored + lagTokens),
      keyFactor: 0.5,
      valueFactor: 0.5 * valueWeight,
      lagTokens,
      partitions,
      out: middle(raw),
      degenerate: counter,
    });
    ops.segmentRanks({ input: middle(raw), segmentLength: lagTokens, out: middle(score) });
    return inBuffers(ops, [score, raw, counter], {
      score: denseScores(score, rows, tokens),
      secondary: denseScores(raw, rows, tokens),
      constantChannels: readConstantChannels(ops, counter),
    });
  },
  candidates(parameters, layer, tokens, count) {
    const lag = lagIn(parameters, layer);
    const partitions = compressedPartitions(tokens, lag);
    // Of a text too short for two partitions positions alone decide, as in a sliding window: nothing is chosen by what a key holds.
    const sinks = Math.min(lag.sinkTokens, count);
    if (partitions === 0) return { start: sinks, end: sinks };
    const end = lag.sinkTokens + partitions * lag.lagTokens;
    const isProtected = count >= tokens - partitions * lag.lagTokens;
    return isProtected ? { start: lag.sinkTokens, end } : { start: 0, end: tokens };
  },
  operations: (_parameters, context, tokens) => tokens * scoringOperations(context),
};

/** Too short for two partitions: sinks score 1, the others by recency, (t − S) / (T − S). */
function recencyRamp(tokens: number, { sinkTokens }: Lag): Float32Array {
  return Float32Array.from({ length: tokens }, (_, token) =>
    token < sinkTokens ? 1 : (token - sinkTokens) / (tokens - sinkTokens),
  );
}
