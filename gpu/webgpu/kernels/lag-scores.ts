import { type Arguments, checkLagScores } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import code from './lag-scores.wgsl?raw';

const kernel = defineKernel('lag-scores', code, {
  key: 'read',
  value: 'read',
  deviations: 'write',
  out: 'write',
  degenerate: 'write',
});

/** Records `Ops.lagScores`. */
export function lagScores(recorder: Recorder, a: Arguments<'lagScores'>): void {
  checkLagScores(a);
  const { key, value, lagTokens, partitions, out, degenerate } = a;
  const scored = key.heads * partitions * lagTokens;
  if (scored === 0) return;
  const channels = Math.max(key.channels, value.channels);
  recorder.dispatch({
    kernel,
    constants: { CAPACITY: Math.ceil(channels / 64) * 64, HAS_DEGENERATE: degenerate !== undefined },
    buffers: {
      key: key.buffer,
      value: value.buffer,
      deviations: recorder.temporary('f32', 2 * scored, 'deviations'),
      out: out.buffer,
      degenerate: degenerate ?? recorder.unusedOutput(0),
    },
    parameters: {
      heads: key.heads,
      partitions,
      lagTokens,
      keyChannels: key.channels,
      valueChannels: value.channels,
      keyOffset: key.offset,
      keyHeadStride: key.headStride,
      keyRowStride: key.rowStride,
      valueOffset: value.offset,
      valueHeadStride: value.headStride,
      valueRowStride: value.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      keyFactor: a.keyFactor,
      valueFactor: a.valueFactor,
    },
    workgroups: linearGrid(key.heads * partitions, recorder.maxWorkgroupsPerDimension),
    work: { flops: 16 * scored * channels, bytes: 24 * scored * channels },
  });
}
