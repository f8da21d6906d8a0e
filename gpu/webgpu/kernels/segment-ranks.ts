import { type Arguments, checkSegmentRanks } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import code from './segment-ranks.wgsl?raw';

const kernel = defineKernel('segment-ranks', code, { input: 'read', out: 'write' });

/** Records `Ops.segmentRanks`. */
export function segmentRanks(recorder: Recorder, a: Arguments<'segmentRanks'>): void {
  checkSegmentRanks(a);
  const { input, out, segmentLength } = a;
  const elements = input.rows * input.length;
  if (elements === 0) return;
  recorder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: {
      rows: input.rows,
      length: input.length,
      segmentLength,
      inputOffset: input.offset,
      inputRowStride: input.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 2 * elements * segmentLength, bytes: 8 * elements },
  });
}
