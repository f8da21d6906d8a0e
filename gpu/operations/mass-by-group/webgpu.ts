import { sliceRows } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { fill } from '../../webgpu/fill';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { attentionProbabilities } from '../attention-probabilities/webgpu';
import shader from './mass-by-group.wgsl';
import { checkMassByGroup, type MassByGroupArguments } from './op';
import { massByGroupTiled, massShape } from './webgpu-tiled';

const kernel = defineKernel('mass-by-group', shader);

/** Probabilities held at a time: 16 MiB. */
const MOST_PROBABILITIES = 2 ** 22;
const GROUPS_PER_THREAD = 4;
const ROWS_PER_THREAD = 4;

/**
 * Encodes `Ops.massByGroup`. A software adapter, more groups than workgroup memory holds, and groups by row: the probabilities of
 * a few query rows at a time, and their sums.
 */
export function massByGroup(encoder: CommandEncoder, a: MassByGroupArguments): void {
  checkMassByGroup(a);
  const { query, key, logSumExp, groupings, sets, groups, out } = a;
  const { heads } = query;
  if (heads * query.rows * groupings * groups === 0) return;
  if (key.rows === 0) {
    fill(encoder, out, 0, groupings * heads * query.rows * groups, 0);
    return;
  }
  const shape = encoder.isSoftwareAdapter || a.byRow ? undefined : massShape(groupings, groups);
  if (shape) {
    massByGroupTiled(encoder, a, shape);
    return;
  }
  const rowsAtOnce = Math.floor(MOST_PROBABILITIES / (heads * key.rows) / ROWS_PER_THREAD) * ROWS_PER_THREAD;
  const most = Math.max(ROWS_PER_THREAD, rowsAtOnce);
  const probabilities = encoder.temporary(
    'f32',
    heads * Math.min(most, query.rows) * key.rows,
    'probabilities of some rows',
  );
  const quarters = heads * groupings * Math.ceil(groups / GROUPS_PER_THREAD);
  const workOf = (rows: number) => {
    const steps = quarters * Math.ceil(rows / ROWS_PER_THREAD) * key.rows;
    return { flops: 40 * steps, bytes: 4 * (ROWS_PER_THREAD + 1) * steps };
  };
  const parts = Math.max(encoder.partsFor(workOf(query.rows)), query.rows / most);
  for (const rows of spans(query.rows, parts, ROWS_PER_THREAD)) {
    attentionProbabilities(encoder, {
      query: sliceRows(query, rows.start, rows.count),
      key,
      scale: a.scale,
      softCap: a.softCap,
      logSumExp: { ...logSumExp, offset: logSumExp.offset + rows.start },
      causalOffset: a.causalOffset + rows.start,
      window: a.window,
      out: probabilities,
    });
    encoder.dispatch({
      kernel,
      constants: { BY_ROW: a.byRow ?? false },
      buffers: { probabilities, groupOf: a.groupOf, out },
      parameters: {
        heads,
        rows: rows.count,
        firstRow: rows.start,
        queryRows: query.rows,
        keyRows: key.rows,
        headsPerSet: heads / sets,
        sets,
        groupings,
        groups,
      },
      workgroups: linearGrid(
        Math.ceil((quarters * Math.ceil(rows.count / ROWS_PER_THREAD)) / 64),
        encoder.maxWorkgroupsPerDimension,
      ),
      work: workOf(rows.count),
    });
  }
}
