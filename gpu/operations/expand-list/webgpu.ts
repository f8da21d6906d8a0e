import type { CommandEncoder } from '../../webgpu/command-encoder';
import { fill } from '../../webgpu/fill';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import shader from './expand-list.wgsl';
import { checkExpandList, type ExpandListArguments, longestList } from './op';

const kernel = defineKernel('expand-list', shader);

/** Encodes `Ops.expandList`. */
export function expandList(encoder: CommandEncoder, a: ExpandListArguments): void {
  checkExpandList(a);
  const { segments, segmentLength, indexBase, end, out } = a;
  if (out.sets === 0) return;
  const longest = longestList(a);
  if (longest === 0) {
    fill(encoder, out.buffer, out.countsOffset!, out.sets, 0);
    return;
  }
  const elements = out.sets * longest;
  encoder.dispatch({
    kernel,
    constants: { HAS_COUNTS: segments.countsOffset !== undefined },
    buffers: { segments: segments.buffer, out: out.buffer },
    parameters: {
      sets: out.sets,
      count: longest,
      segmentCount: segments.count,
      segmentLength,
      indexBase,
      end,
      setsPerEnd: a.setsPerEnd ?? out.sets,
      segmentsOffset: segments.offset,
      segmentsRowStride: segments.rowStride,
      segmentCountsOffset: segments.countsOffset ?? 0,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      countsOffset: out.countsOffset!,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 8 * elements, bytes: 8 * elements },
  });
}
