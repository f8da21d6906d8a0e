import { type Arguments, checkMatmul } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Work } from '../pacer';
import type { Recorder } from '../recorder';
import { asVectors } from '../vectors';
import tiledCode from './matmul.wgsl?raw';
import fewRowsCode from './matmul-few-rows.wgsl?raw';

const bindings = { input: 'read', weight: 'read', bias: 'read', out: 'write' } as const;
const tiled = defineKernel('matmul', tiledCode, bindings);
const fewRows = defineKernel('matmul-few-rows', fewRowsCode, bindings);

/** Up to this many rows every weight is read once for all of them. */
const FEW_ROWS = 8;
const COLUMNS_PER_WORKGROUP = 4;
const TILE = 64;

/** Records `Ops.matmul`. */
export function matmul(recorder: Recorder, a: Arguments<'matmul'>): void {
  checkMatmul(a);
  const { bias, out } = a;
  if (out.rows === 0 || out.channels === 0) return;
  const input = asVectors(recorder, a.input);
  const weight = asVectors(recorder, a.weight);
  const isFew = input.rows <= FEW_ROWS;
  const work = matmulWork(out.rows, out.channels, input.channels);
  const parts = recorder.partsFor(work);
  // Slices of columns first: every weight is then read in one of them only.
  const columnSpans = spans(out.channels, parts, isFew ? COLUMNS_PER_WORKGROUP : TILE);
  const rowSpans = spans(out.rows, isFew ? 1 : Math.ceil(parts / columnSpans.length), TILE);

  for (const columns of columnSpans) {
    for (const rows of rowSpans) {
      recorder.dispatch({
        kernel: isFew ? fewRows : tiled,
        constants: isFew ? { ROWS: 2 ** Math.ceil(Math.log2(input.rows)) } : {},
        buffers: {
          input: input.buffer,
          weight: weight.buffer,
          bias: bias ?? recorder.unused,
          out: out.buffer,
        },
        parameters: {
          firstRow: rows.start,
          endRow: rows.start + rows.count,
          firstColumn: columns.start,
          endColumn: columns.start + columns.count,
          vectors: input.channels / 4,
          inputOffset: input.offset / 4,
          inputStride: input.rowStride / 4,
          weightOffset: weight.offset / 4,
          weightStride: weight.rowStride / 4,
          outOffset: out.offset,
          outRowStride: out.rowStride,
          hasBias: Number(bias !== undefined),
          accumulate: Number(a.accumulate === true),
        },
        workgroups: isFew
          ? linearGrid(Math.ceil(columns.count / COLUMNS_PER_WORKGROUP), recorder.maxWorkgroupsPerDimension)
          : [Math.ceil(columns.count / TILE), Math.ceil(rows.count / TILE), 1],
        work: matmulWork(rows.count, columns.count, input.channels),
      });
    }
  }
}

function matmulWork(rows: number, columns: number, depth: number): Work {
  return { flops: 2 * rows * columns * depth, bytes: 4 * (rows * depth + columns * depth + rows * columns) };
}
