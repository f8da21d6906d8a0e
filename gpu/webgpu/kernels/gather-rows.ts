import { type Arguments, checkGatherRows } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import code from './gather-rows.wgsl?raw';

const kernel = defineKernel('gather-rows', code, { table: 'read', indices: 'read', out: 'write' });

/** Records `Ops.gatherRows`. */
export function gatherRows(recorder: Recorder, a: Arguments<'gatherRows'>): void {
  checkGatherRows(a);
  const { table, out } = a;
  const elements = out.rows * out.channels;
  if (elements === 0) return;
  recorder.dispatch({
    kernel,
    constants: { ACCUMULATE: a.accumulate === true },
    buffers: { table: table.buffer, indices: a.indices, out: out.buffer },
    parameters: {
      tableRows: table.rows,
      rows: out.rows,
      channels: out.channels,
      tableOffset: table.offset,
      tableRowStride: table.rowStride,
      indexOffset: a.indexOffset,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: elements, bytes: 8 * elements },
  });
}
