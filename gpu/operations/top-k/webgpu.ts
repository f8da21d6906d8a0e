import type { CommandEncoder } from '../../webgpu/command-encoder';
import { fill } from '../../webgpu/fill';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel, type Kernel, withParts } from '../../webgpu/kernel';
import type { KernelConstants } from '../../webgpu/unroll';
import scanCode from '../../wgsl/parts/workgroup-scan.wgsl';
import subgroupScanCode from '../../wgsl/parts/workgroup-scan-subgroups.wgsl';
import { checkTopK, type TopKArguments } from './op';
import shader from './top-k.wgsl';
import blocksShader from './top-k-blocks.wgsl';

const onSoftware = defineKernel('top-k', shader);
const blocks = defineKernel('top-k-blocks', withParts(blocksShader, scanCode));
const subgroupBlocks = defineKernel('top-k-blocks-subgroups', withParts(blocksShader, subgroupScanCode), [
  'subgroups',
]);

/**
 * How many threads a row gets, and vectors of four each: what was fastest for rows up to the length that they hold at once,
 * short of a vector that the row may begin in the middle of. Longer rows are gone through in several blocks.
 */
const BLOCKS = [
  { THREADS: 256, VECTORS: 2 },
  { THREADS: 256, VECTORS: 4 },
  { THREADS: 512, VECTORS: 4 },
  { THREADS: 1024, VECTORS: 8 },
] as const;
/** For devices that have no larger workgroups. */
const LEAST_BLOCK = { THREADS: 256, VECTORS: 8 } as const;

/** Encodes `Ops.topK`. */
export function topK(encoder: CommandEncoder, a: TopKArguments): void {
  checkTopK(a);
  const { score, secondary, counts, out, tied } = a;
  if (score.rows === 0) return;
  if (out.count === 0) {
    if (tied) fill(encoder, tied.buffer, tied.offset, score.rows, 0);
    return;
  }
  const entries = score.rows * score.length;
  const { kernel, constants } = variantFor(encoder, score.length);
  encoder.dispatch({
    kernel,
    constants,
    buffers: {
      score: score.buffer,
      secondary: secondary?.buffer ?? encoder.unused,
      out: out.buffer,
      tied: tied?.buffer ?? encoder.unusedOutput(0),
      counts: counts?.buffer ?? encoder.unused,
    },
    parameters: {
      rows: score.rows,
      length: score.length,
      count: out.count,
      indexBase: a.indexBase,
      scoreOffset: score.offset,
      scoreRowStride: score.rowStride,
      secondaryOffset: secondary?.offset ?? 0,
      secondaryRowStride: secondary?.rowStride ?? 0,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      tiedOffset: tied?.offset ?? 0,
      hasSecondary: Number(secondary !== undefined),
      hasTied: Number(tied !== undefined),
      countsOffset: counts?.offset ?? 0,
      hasCounts: Number(counts !== undefined),
    },
    workgroups: linearGrid(score.rows, encoder.maxWorkgroupsPerDimension),
    work: { flops: entries * (secondary ? 80 : 40), bytes: 4 * entries * (secondary ? 14 : 6) },
  });
}

function variantFor(encoder: CommandEncoder, length: number): { kernel: Kernel; constants: KernelConstants } {
  if (encoder.isSoftwareAdapter) {
    // Scans are what costs a software adapter: it gets one tile.
    return {
      kernel: onSoftware,
      constants: { THREADS: 64, COPIES: 1, STRETCH: 64 * Math.ceil(length / 4096) },
    };
  }
  const { subgroups, subgroupMinSize, subgroupMaxSize, maxInvocationsPerWorkgroup } = encoder.capabilities;
  const fitting =
    BLOCKS.find(({ THREADS, VECTORS }) => length + 3 <= 4 * THREADS * VECTORS) ?? BLOCKS[BLOCKS.length - 1]!;
  const block = fitting.THREADS <= maxInvocationsPerWorkgroup ? fitting : LEAST_BLOCK;
  if (subgroups && subgroupMinSize === subgroupMaxSize) {
    return { kernel: subgroupBlocks, constants: { ...block, SUBGROUP: subgroupMinSize } };
  }
  return { kernel: blocks, constants: block };
}
