import { sliceRows } from '../../rows';
import { fill } from '../../webgpu/fill';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import type { Recorder } from '../../webgpu/recorder';
import { attentionProbabilities } from '../attention-probabilities/webgpu';
import shader from './mass-by-class.wgsl';
import { checkMassByClass, type MassByClassArguments } from './op';
import { massByClassTiled, massShape } from './webgpu-tiled';

const kernel = defineKernel('mass-by-class', shader);

/** Probabilities held at a time: 16 MiB. */
const MOST_PROBABILITIES = 2 ** 22;
const CLASSES_PER_THREAD = 4;
const ROWS_PER_THREAD = 4;

/**
 * Records `Ops.massByClass`. Emulated threads, more classes than workgroup memory holds, and classes by row: the probabilities of
 * a few query rows at a time, and their sums.
 */
export function massByClass(recorder: Recorder, a: MassByClassArguments): void {
  checkMassByClass(a);
  const { query, key, logSumExp, groupings, sets, classes, out } = a;
  const { heads } = query;
  if (heads * query.rows * groupings * classes === 0) return;
  if (key.rows === 0) {
    fill(recorder, out, 0, groupings * heads * query.rows * classes, 0);
    return;
  }
  const shape = recorder.emulatesThreads || a.byRow ? undefined : massShape(groupings, classes);
  if (shape) {
    massByClassTiled(recorder, a, shape);
    return;
  }
  const rowsAtOnce = Math.floor(MOST_PROBABILITIES / (heads * key.rows) / ROWS_PER_THREAD) * ROWS_PER_THREAD;
  const most = Math.max(ROWS_PER_THREAD, rowsAtOnce);
  const probabilities = recorder.temporary(
    'f32',
    heads * Math.min(most, query.rows) * key.rows,
    'probabilities of some rows',
  );
  const quarters = heads * groupings * Math.ceil(classes / CLASSES_PER_THREAD);
  const workOf = (rows: number) => {
    const steps = quarters * Math.ceil(rows / ROWS_PER_THREAD) * key.rows;
    return { flops: 40 * steps, bytes: 4 * (ROWS_PER_THREAD + 1) * steps };
  };
  const parts = Math.max(recorder.partsFor(workOf(query.rows)), query.rows / most);
  for (const rows of spans(query.rows, parts, ROWS_PER_THREAD)) {
    attentionProbabilities(recorder, {
      query: sliceRows(query, rows.start, rows.count),
      key,
      scale: a.scale,
      logSumExp: { ...logSumExp, offset: logSumExp.offset + rows.start },
      causalOffset: a.causalOffset + rows.start,
      window: a.window,
      out: probabilities,
    });
    recorder.dispatch({
      kernel,
      constants: { BY_ROW: a.byRow ?? false },
      buffers: { probabilities, classOf: a.classOf, out },
      parameters: {
        heads,
        rows: rows.count,
        firstRow: rows.start,
        queryRows: query.rows,
        keyRows: key.rows,
        headsPerSet: heads / sets,
        sets,
        groupings,
        classes,
      },
      workgroups: linearGrid(
        Math.ceil((quarters * Math.ceil(rows.count / ROWS_PER_THREAD)) / 64),
        recorder.maxWorkgroupsPerDimension,
      ),
      work: workOf(rows.count),
    });
  }
}
