import { type Arguments, checkPeakScores } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { asVectors } from '../vectors';
import { shareOf } from '../weights';
import { fill } from './fill';
import code from './peak-scores.wgsl?raw';

const kernel = defineKernel('peak-scores', code, {
  query: 'read',
  key: 'read',
  rowPeaks: 'write',
  out: 'write',
});

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
  const rowPeaks = recorder.temporary('u32', queries, 'row peaks');
  recorder.clear(rowPeaks);
  const work = {
    flops: 2 * queries * keys * query.channels,
    bytes: 4 * (queries + keys) * query.channels,
  };
  const queryBlocks = Math.ceil(queries / BLOCK);
  // Cut the keys until the row pass has enough threads.
  const wantedSpans = Math.ceil(recorder.parallelThreads / queryBlocks);
  const spanKeys = Math.ceil(keys / wantedSpans / BLOCK) * BLOCK;
  const spanCount = Math.ceil(keys / spanKeys);
  for (const isColumnPass of [false, true]) {
    const items = isColumnPass ? Math.ceil(keys / BLOCK) : queryBlocks * spanCount;
    for (const { start, count } of spans(items, recorder.partsFor(work), THREADS)) {
      recorder.dispatch({
        kernel,
        constants: {},
        buffers: { query: query.buffer, key: key.buffer, rowPeaks, out: a.out },
        parameters: {
          isColumnPass: Number(isColumnPass),
          firstItem: start,
          endItem: start + count,
          queries,
          keys,
          spanKeys: isColumnPass ? BLOCK : spanKeys,
          vectors: query.channels / 4,
          queryOffset: query.offset / 4,
          queryStride: query.rowStride / 4,
          keyOffset: key.offset / 4,
          keyStride: key.rowStride / 4,
          outOffset: a.outOffset,
        },
        workgroups: linearGrid(Math.ceil(count / THREADS), recorder.maxWorkgroupsPerDimension),
        work: shareOf(work, count / items),
      });
    }
  }
}
