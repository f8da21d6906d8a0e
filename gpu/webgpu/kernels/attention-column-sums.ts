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

const THREADS = 64;
const KEYS_PER_THREAD = 8;
/** Query rows worth a thread of their own. */
const SMALLEST_SHARE = 16;

/** Records `Ops.attentionColumnSums`: sums per query head and share of the queries, then over those of each group. */
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
  const keyGroups = query.heads * Math.ceil(key.rows / KEYS_PER_THREAD);
  // Cut the queries until there are enough threads.
  const wantedShares = Math.ceil(recorder.parallelThreads / keyGroups);
  const shareRows = Math.max(SMALLEST_SHARE, Math.ceil(query.rows / wantedShares));
  const shares = Math.max(1, Math.ceil(query.rows / shareRows));
  const sums = recorder.temporary('f32', query.heads * shares * key.rows, 'column sums of shares');
  const items = keyGroups * shares;
  const work = weightWork(a);
  for (const { start, count } of spans(items, recorder.partsFor(work), THREADS)) {
    recorder.dispatch({
      kernel,
      constants: {},
      buffers: { ...buffers, out: sums },
      parameters: { firstItem: start, endItem: start + count, shares, shareRows, ...parameters },
      workgroups: linearGrid(Math.ceil(count / THREADS), recorder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  const rowOf = { rows: 1, channels: key.rows, rowStride: key.rows };
  sumHeads(recorder, {
    input: { buffer: sums, offset: 0, heads: query.heads * shares, headStride: key.rows, ...rowOf },
    out: { buffer: out.buffer, offset: out.offset, heads: key.heads, headStride: out.rowStride, ...rowOf },
  });
}
