import { type Arguments, checkMassByClass } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { prepareWeights, shareOf, weightWork } from '../weights';
import { fill } from './fill';
import code from './mass-by-class.wgsl?raw';

const kernel = defineKernel('mass-by-class', code, {
  query: 'read',
  key: 'read',
  logSumExp: 'read',
  classOf: 'read',
  out: 'write',
});

const TILE = 32;

/** Records `Ops.massByClass`. */
export function massByClass(recorder: Recorder, a: Arguments<'massByClass'>): void {
  checkMassByClass(a);
  const { query, key, groupings, sets, classes } = a;
  const items = query.heads * Math.ceil(query.rows / TILE);
  if (items === 0 || groupings === 0 || classes === 0) return;
  fill(recorder, a.out, 0, groupings * query.heads * query.rows * classes, 0);
  if (key.rows === 0) return;
  const { buffers, parameters } = prepareWeights(recorder, a);
  const { flops, bytes } = weightWork(a);
  const perPair = flops / (2 * query.channels + 8);
  const work = { flops: flops + 8 * perPair * groupings * Math.ceil(classes / 4), bytes };
  for (const { start, count } of spans(items, recorder.partsFor(work), 1)) {
    recorder.dispatch({
      kernel,
      constants: {},
      buffers: { ...buffers, classOf: a.classOf, out: a.out },
      parameters: {
        firstItem: start,
        endItem: start + count,
        heads: query.heads,
        headsPerSet: query.heads / sets,
        sets,
        groupings,
        classes,
        ...parameters,
      },
      workgroups: linearGrid(count, recorder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
}
