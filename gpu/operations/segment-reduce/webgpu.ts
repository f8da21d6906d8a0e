import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import orderCode from '../../wgsl/parts/order.wgsl';
import { checkSegmentReduce, type SegmentReduceArguments } from './op';
import shader from './segment-reduce.wgsl';

const kernel = defineKernel('segment-reduce', withParts(shader, orderCode));

const KINDS = { sum: 0, mean: 1, max: 2, min: 3 } as const;

const THREADS = 64;
/** Segments of more entries are shared by the threads of a workgroup. */
const MOST_ENTRIES_PER_THREAD = 64;

/** Encodes `Ops.segmentReduce`. */
export function segmentReduce(encoder: CommandEncoder, a: SegmentReduceArguments): void {
  checkSegmentReduce(a);
  const { kind, input, out } = a;
  if (out.rows === 0 || out.length === 0) return;
  const segmentLength = Math.min(a.segmentLength, input.length);
  // Barriers are dear on a software adapter.
  const lanes = segmentLength > MOST_ENTRIES_PER_THREAD && !encoder.isSoftwareAdapter ? THREADS : 1;
  const entries = input.rows * input.length;
  encoder.dispatch({
    kernel,
    constants: { KIND: KINDS[kind], LANES: lanes },
    buffers: { input: input.buffer, out: out.buffer },
    parameters: {
      rows: input.rows,
      length: input.length,
      segments: out.length,
      segmentLength,
      inputOffset: input.offset,
      inputRowStride: input.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(
      Math.ceil((out.rows * out.length * lanes) / THREADS),
      encoder.maxWorkgroupsPerDimension,
    ),
    work: { flops: 4 * entries, bytes: 4 * (entries + out.rows * out.length) },
  });
}
