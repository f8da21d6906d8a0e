/**
 * LagKV as kvpress has it (lagkv_press.py, LagKVPress.score): the same partition score, replaced by its rank inside the
 * partition, so that all partitions compete for one budget; sinks and the last, unscored tokens rank highest.
 */

import { sliceRows } from '../../../gpu/rows';
import { denseScores, type EvictionScores, evictOnce } from '../evict-once';
import type { MethodContext, MethodRun } from '../method';
import type { Parameters } from '../parameters';
import { inBuffers } from '../remember';
import { constantChannelNotices, readConstantChannels } from './constant-channels';
import { compressedPartitions } from './partitions';
import { type Lag, lagIn } from './schema';

/** Ranks, and the raw scores that break their ties. */
interface LagRanks extends EvictionScores {
  readonly constantChannels: Promise<number> | null;
}

export function startKvpress(context: MethodContext, parameters: Parameters): MethodRun {
  return evictOnce<LagRanks>(context, parameters, {
    name(layer) {
      const { sinkTokens, lagTokens, valueWeight } = lagIn(parameters, layer);
      return `lagkv/${sinkTokens}/${lagTokens}/${valueWeight}`;
    },
    lateNotices: constantChannelNotices,
    score({ ops }, input, tokens): LagRanks {
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
    candidates(layer, tokens, count) {
      const lag = lagIn(parameters, layer);
      const partitions = compressedPartitions(tokens, lag);
      // Of a text too short for two partitions positions alone decide, as in a sliding window: nothing is chosen by what a key holds.
      const sinks = Math.min(lag.sinkTokens, count);
      if (partitions === 0) return { start: sinks, end: sinks };
      const end = lag.sinkTokens + partitions * lag.lagTokens;
      const isProtected = count >= tokens - partitions * lag.lagTokens;
      return isProtected ? { start: lag.sinkTokens, end } : { start: 0, end: tokens };
    },
  });
}

/** Too short for two partitions: sinks score 1, the others by recency, (t − S) / (T − S). */
function recencyRamp(tokens: number, { sinkTokens }: Lag): Float32Array {
  return Float32Array.from({ length: tokens }, (_, token) =>
    token < sinkTokens ? 1 : (token - sinkTokens) / (tokens - sinkTokens),
  );
}
