import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid, spans } from '../../webgpu/grid';
import { elementsOf } from '../../webgpu/views';
import shader from './mix-rows.wgsl';
import { checkMixRows, type MixRowsArguments } from './op';

const kernels = defineElementKernels('mix-rows', 'f32', shader);

/** Rows that a thread has at most: each number of a token is then read once for all of them. */
const MOST_ROWS = 8;

/** Encodes `Ops.mixRows`. */
export function mixRows(encoder: CommandEncoder, a: MixRowsArguments): void {
  checkMixRows(a);
  if (elementsOf(a.out) === 0) return;
  const { matrix } = a;
  const { kernel, views } = inElements(kernels, { input: a.input, out: a.out });
  const { input, out } = views;
  const rowsPerThread = Math.min(MOST_ROWS, 2 ** Math.ceil(Math.log2(out.rows)));
  const workOf = (rows: number) => ({
    flops: 2 * out.heads * rows * input.rows * a.input.channels,
    bytes: 4 * (a.out.heads * rows * a.out.channels + elementsOf(a.input) + matrix.heads * rows * input.rows),
  });
  for (const { start, count } of spans(out.rows, encoder.partsFor(workOf(out.rows)), rowsPerThread)) {
    const threads = out.heads * Math.ceil(count / rowsPerThread) * out.channels;
    encoder.dispatch({
      kernel,
      constants: { ROWS: rowsPerThread, ACCUMULATE: a.accumulate === true },
      buffers: { matrix: matrix.buffer, input: input.buffer, out: out.buffer },
      parameters: {
        heads: out.heads,
        headsPerMatrix: out.heads / matrix.heads,
        tokens: input.rows,
        channels: out.channels,
        firstRow: start,
        endRow: start + count,
        matrixOffset: matrix.offset,
        matrixHeadStride: matrix.headStride,
        matrixRowStride: matrix.rowStride,
        inputOffset: input.offset,
        inputHeadStride: input.headStride,
        inputRowStride: input.rowStride,
        outOffset: out.offset,
        outHeadStride: out.headStride,
        outRowStride: out.rowStride,
      },
      workgroups: linearGrid(Math.ceil(threads / 64), encoder.maxWorkgroupsPerDimension),
      work: workOf(count),
    });
  }
}
