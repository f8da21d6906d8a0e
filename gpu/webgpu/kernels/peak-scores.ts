import { type Arguments, checkPeakScores } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { asVectors } from '../vectors';
import { shareOf } from '../weights';
import { fill } from './fill';
import code from './peak-scores.wgsl?raw';
import resultCode from './peak-scores-result.wgsl?raw';

const kernel = defineKernel('peak-scores', code, {
  query: 'read',
  key: 'read',
  peaks: 'write',
});
const result = defineKernel('peak-scores-result', resultCode, { peaks: 'read', out: 'write' });

const THREADS = 64;
const BLOCK = 8;
const NEGATIVE_INFINITY_BITS = 0xff800000;

/** Records `Ops.peakScores`. */
export function peakScores(recorder: Recorder, a: Arguments<'peakScores'>): void {
  checkPeakScores(a);
  const queries = a.query.rows;
  const keys = a.key.rows;
  if (keys === 0) return;
  if (queries === 0) {
    fill(recorder, a.out, a.outOffset, keys, NEGATIVE_INFINITY_BITS);
    return;
  }
  const query = asVectors(recorder, a.query);
  const key = asVectors(recorder, a.key);
  const peaks = recorder.temporary('u32', queries + keys, 'peaks');
  recorder.clear(peaks);
  const work = {
    flops: 2 * queries * keys * query.channels,
    bytes: 4 * (queries + keys) * query.channels,
  };
  for (const isColumnPass of [false, true]) {
    const [still, moving] = isColumnPass ? [keys, queries] : [queries, keys];
    const stillBlocks = Math.ceil(still / BLOCK);
    // Cut what a thread goes through until there are enough threads.
    const wantedSpans = Math.ceil(recorder.parallelThreads / stillBlocks);
    const span = Math.ceil(moving / wantedSpans / BLOCK) * BLOCK;
    const items = stillBlocks * Math.ceil(moving / span);
    for (const { start, count } of spans(items, recorder.partsFor(work), THREADS)) {
      recorder.dispatch({
        kernel,
        constants: {},
        buffers: { query: query.buffer, key: key.buffer, peaks },
        parameters: {
          isColumnPass: Number(isColumnPass),
          firstItem: start,
          endItem: start + count,
          queries,
          keys,
          span,
          vectors: query.channels / 4,
          queryOffset: query.offset / 4,
          queryStride: query.rowStride / 4,
          keyOffset: key.offset / 4,
          keyStride: key.rowStride / 4,
        },
        workgroups: linearGrid(Math.ceil(count / THREADS), recorder.maxWorkgroupsPerDimension),
        work: shareOf(work, count / items),
      });
    }
  }
  recorder.dispatch({
    kernel: result,
    constants: {},
    buffers: { peaks, out: a.out },
    parameters: { queries, keys, outOffset: a.outOffset },
    workgroups: linearGrid(Math.ceil(keys / THREADS), recorder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * keys },
  });
}
