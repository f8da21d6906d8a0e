import { type Arguments, checkAttentionColumnSums } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { prepareWeights, shareOf, weightWork } from '../weights';
import code from './attention-column-sums.wgsl?raw';
import { fill } from './fill';
import { sumHeads } from './sum-heads';

const kernel = defineKernel('attention-column-sums', code, {
  query: 'read',
  key: 'read',
  logSumExp: 'read',
  out: 'write',
});

const TILE = 64;

/** Records `Ops.attentionColumnSums`: sums per query head, then over the heads of each group. */
export function attentionColumnSums(recorder: Recorder, a: Arguments<'attentionColumnSums'>): void {
  checkAttentionColumnSums(a);
  const { query, key, out } = a;
  if (key.heads === 0 || key.rows === 0) return;
  if (query.heads === 0) {
    for (let row = 0; row < out.rows; row++) {
      fill(recorder, out.buffer, out.offset + row * out.rowStride, out.length, 0);
    }
    return;
  }
  const { buffers, parameters } = prepareWeights(recorder, a);
  const perHead = recorder.temporary('f32', query.heads * key.rows, 'column sums per head');
  const items = query.heads * Math.ceil(key.rows / TILE);
  const work = weightWork(a);
  for (const { start, count } of spans(items, recorder.partsFor(work), 1)) {
    recorder.dispatch({
      kernel,
      constants: {},
      buffers: { ...buffers, out: perHead },
      parameters: { firstItem: start, endItem: start + count, ...parameters },
      workgroups: linearGrid(count, recorder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  const rowOf = { rows: 1, channels: key.rows, rowStride: key.rows };
  sumHeads(recorder, {
    input: { buffer: perHead, offset: 0, heads: query.heads, headStride: key.rows, ...rowOf },
    out: { buffer: out.buffer, offset: out.offset, heads: key.heads, headStride: out.rowStride, ...rowOf },
  });
}
