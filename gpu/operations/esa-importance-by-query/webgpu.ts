import { asRows } from '../../validate';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { matmul } from '../matmul/webgpu';
import shader from './esa-importance-by-query.wgsl';
import { checkEsaImportanceByQuery, type EsaImportanceByQueryArguments } from './op';

const kernel = defineKernel('esa-importance-by-query', shader);

/** Encodes `Ops.esaImportanceByQuery`. */
export function esaImportanceByQuery(encoder: CommandEncoder, a: EsaImportanceByQueryArguments): void {
  checkEsaImportanceByQuery(a);
  const { query, key, out } = a;
  const entries = out.rows * out.length;
  if (entries === 0) return;
  matmul(encoder, { input: query, weight: key, out: asRows(out) });
  encoder.dispatch({
    kernel,
    // Barriers are dear on a software adapter.
    constants: encoder.isSoftwareAdapter ? { THREADS: 8, GROUP: 8 } : { THREADS: 256, GROUP: 16 },
    buffers: { scores: out.buffer },
    parameters: {
      rows: out.rows,
      length: out.length,
      // Beyond the row, and beyond 32 bits, it says no more.
      firstLength: Math.min(a.firstLength, out.length),
      offset: out.offset,
      rowStride: out.rowStride,
    },
    workgroups: linearGrid(out.rows, encoder.maxWorkgroupsPerDimension),
    work: { flops: 2 * entries, bytes: 12 * entries },
  });
}
