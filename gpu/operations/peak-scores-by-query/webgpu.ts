import { asRows } from '../../validate';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import type { Recorder } from '../../webgpu/recorder';
import { matmul } from '../matmul/webgpu';
import { checkPeakScoresByQuery, type PeakScoresByQueryArguments } from './op';
import shader from './peak-scores-by-query.wgsl';

const kernel = defineKernel('peak-scores-by-query', shader);

/** Records `Ops.peakScoresByQuery`. */
export function peakScoresByQuery(recorder: Recorder, a: PeakScoresByQueryArguments): void {
  checkPeakScoresByQuery(a);
  const { query, key, out } = a;
  const entries = out.rows * out.length;
  if (entries === 0) return;
  matmul(recorder, { input: query, weight: key, out: asRows(out) });
  recorder.dispatch({
    kernel,
    // Barriers are dear where threads are emulated.
    constants: recorder.emulatesThreads ? { THREADS: 8, GROUP: 8 } : { THREADS: 256, GROUP: 16 },
    buffers: { scores: out.buffer },
    parameters: {
      rows: out.rows,
      length: out.length,
      // Beyond the row, and beyond 32 bits, it says no more.
      firstLength: Math.min(a.firstLength, out.length),
      offset: out.offset,
      rowStride: out.rowStride,
    },
    workgroups: linearGrid(out.rows, recorder.maxWorkgroupsPerDimension),
    work: { flops: 2 * entries, bytes: 12 * entries },
  });
}
