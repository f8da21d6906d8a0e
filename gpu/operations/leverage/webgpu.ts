import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import shader from './leverage.wgsl';
import factorShader from './leverage-factor.wgsl';
import { checkLeverage, type LeverageArguments } from './op';

const kernel = defineKernel('leverage', shader);
const factorKernel = defineKernel('leverage-factor', factorShader);

const THREADS = 64;

/** Encodes `Ops.leverage`. */
export function leverage(encoder: CommandEncoder, a: LeverageArguments): void {
  checkLeverage(a);
  const { input, weight, out } = a;
  const { rows, channels } = input;
  const heads = out.rows;
  if (heads === 0 || rows === 0) return;
  const matrices = Math.max(1, heads * channels * channels);
  const inverse = encoder.temporary('f32', matrices, 'inverse factors');
  const shape = {
    ...{ heads, headsPerGroup: heads / input.heads, rows, channels },
    inputOffset: input.offset,
    inputHeadStride: input.headStride,
    inputRowStride: input.rowStride,
  };
  encoder.dispatch({
    kernel: factorKernel,
    // Barriers are dear on a software adapter.
    constants: { THREADS: encoder.isSoftwareAdapter ? 32 : 256, HAS_WEIGHT: weight !== undefined },
    buffers: {
      input: input.buffer,
      weight: weight?.buffer ?? encoder.unused,
      factor: encoder.temporary('f32', matrices, 'factors'),
      inverse,
    },
    parameters: [
      shape,
      { weightOffset: weight?.offset ?? 0, weightRowStride: weight?.rowStride ?? 0, ridge: a.ridge },
    ],
    workgroups: [heads, 1, 1],
    work: {
      flops: heads * channels * channels * (1.5 * rows + channels),
      bytes: 4 * heads * (rows * channels + 2 * channels * channels),
    },
  });
  encoder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, inverse, out: out.buffer },
    parameters: [shape, { outOffset: out.offset, outRowStride: out.rowStride }],
    workgroups: linearGrid(Math.ceil((heads * rows) / THREADS), encoder.maxWorkgroupsPerDimension),
    work: {
      flops: heads * rows * channels * (channels + 2),
      bytes: 4 * heads * rows * (channels + 1),
    },
  });
}
