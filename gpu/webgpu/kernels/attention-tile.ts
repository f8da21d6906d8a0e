import { type Arguments, checkAttentionTile } from '../../validate';
import { spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { prepareWeights, shareOf, weightWork } from '../weights';
import code from './attention-tile.wgsl?raw';
import { fill } from './fill';

const kernel = defineKernel('attention-tile', code, {
  query: 'read',
  key: 'read',
  logSumExp: 'read',
  maximum: 'write',
  mean: 'write',
});

const PIXELS = 64;

/** Records `Ops.attentionTile`. */
export function attentionTile(recorder: Recorder, a: Arguments<'attentionTile'>): void {
  checkAttentionTile(a);
  const { query, key, width, height, rowStep, outOffset } = a;
  if (width === 0 || height === 0) return;
  if (query.rows === 0 || key.rows === 0) {
    for (const out of [a.maximum, a.mean]) fill(recorder, out, outOffset, width * height, 0);
    return;
  }
  const { buffers, parameters } = prepareWeights(recorder, a);
  const rowsPerPixel = Math.ceil(query.rows / height / rowStep);
  const { flops, bytes } = weightWork(a);
  // Pixels smaller than a cell repeat it.
  const repeats = Math.max(1, height / query.rows) * Math.max(1, width / key.rows);
  const work = { flops: (flops * repeats) / Math.min(rowStep, query.rows), bytes: bytes * repeats };
  const parts = Math.max(recorder.partsFor(work), height / recorder.maxWorkgroupsPerDimension);
  for (const { start, count } of spans(height, parts, 1)) {
    recorder.dispatch({
      kernel,
      constants: { ROWS: rowsPerPixel >= 4 ? 8 : 1 },
      buffers: { ...buffers, maximum: a.maximum, mean: a.mean },
      parameters: { firstLine: start, width, height, rowStep, outOffset, ...parameters },
      workgroups: [Math.ceil(width / PIXELS), count, 1],
      work: shareOf(work, count / height),
    });
  }
}
