import { type Arguments, checkGatherRows } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { hasVectors, inVectors } from '../views';
import code from './gather-rows.wgsl?raw';

const bindings = { table: 'read', indices: 'read', out: 'write' } as const;
const scalars = defineKernel('gather-rows', `alias Element = f32; ${code}`, bindings);
const vectors = defineKernel('gather-rows-vectors', `alias Element = vec4f; ${code}`, bindings);

/** Records `Ops.gatherRows`. */
export function gatherRows(recorder: Recorder, a: Arguments<'gatherRows'>): void {
  checkGatherRows(a);
  if (a.out.rows * a.out.channels === 0) return;
  const isVectors = hasVectors(a.table) && hasVectors(a.out);
  const table = isVectors ? inVectors(a.table) : a.table;
  const out = isVectors ? inVectors(a.out) : a.out;
  const elements = out.rows * out.channels;
  recorder.dispatch({
    kernel: isVectors ? vectors : scalars,
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
    work: { flops: 0, bytes: 8 * a.out.rows * a.out.channels },
  });
}
