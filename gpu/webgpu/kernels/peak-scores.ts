import { type Arguments, checkPeakScores } from '../../validate';
import { spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { asVectors } from '../vectors';
import { fill } from './fill';
import code from './peak-scores.wgsl?raw';

const kernel = defineKernel('peak-scores', code, {
  query: 'read',
  key: 'read',
  rowPeaks: 'write',
  out: 'write',
});

const TILE = 64;
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
  for (const isColumnPass of [false, true]) {
    const workOf = (count: number) => ({
      flops: 2 * queries * count * query.channels,
      bytes: 4 * (queries + count) * query.channels,
    });
    for (const span of spans(keys, recorder.partsFor(workOf(keys)), TILE)) {
      recorder.dispatch({
        kernel,
        constants: {},
        buffers: { query: query.buffer, key: key.buffer, rowPeaks, out: a.out },
        parameters: {
          isColumnPass: Number(isColumnPass),
          queries,
          keys: span.start + span.count,
          firstKey: span.start,
          vectors: query.channels / 4,
          queryOffset: query.offset / 4,
          queryStride: query.rowStride / 4,
          keyOffset: key.offset / 4,
          keyStride: key.rowStride / 4,
          outOffset: a.outOffset,
        },
        workgroups: [Math.ceil(span.count / TILE), isColumnPass ? 1 : Math.ceil(queries / TILE), 1],
        work: workOf(span.count),
      });
    }
  }
}
