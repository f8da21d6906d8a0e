import { type Arguments, checkAttentionWeights } from '../../validate';
import { spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { prepareWeights, shareOf, weightWork } from '../weights';
import code from './attention-weights.wgsl?raw';

const kernel = defineKernel('attention-weights', code, {
  query: 'read',
  key: 'read',
  logSumExp: 'read',
  out: 'write',
});

const TILE = 64;

/** Records `Ops.attentionWeights`. */
export function attentionWeights(recorder: Recorder, a: Arguments<'attentionWeights'>): void {
  checkAttentionWeights(a);
  const { query, key } = a;
  const items = query.heads * Math.ceil(query.rows / TILE);
  if (items === 0 || key.rows === 0) return;
  const { buffers, parameters } = prepareWeights(recorder, a);
  const { flops, bytes } = weightWork(a);
  const work = { flops, bytes: bytes + 4 * query.heads * query.rows * key.rows };
  const parts = Math.max(recorder.partsFor(work), items / recorder.maxWorkgroupsPerDimension);
  for (const { start, count } of spans(items, parts, 1)) {
    recorder.dispatch({
      kernel,
      constants: {},
      buffers: { ...buffers, out: a.out },
      parameters: { firstItem: start, ...parameters },
      workgroups: [Math.ceil(key.rows / TILE), count, 1],
      work: shareOf(work, count / items),
    });
  }
}
