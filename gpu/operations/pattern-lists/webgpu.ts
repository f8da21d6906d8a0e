import type { IndexList } from '../../arguments';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import scanCode from '../../wgsl/parts/workgroup-scan.wgsl';
import { checkPatternLists, longestPattern, type PatternListsArguments } from './op';
import shader from './pattern-lists.wgsl';

const kernel = defineKernel('pattern-lists', withParts(shader, scanCode));

/** Encodes `Ops.patternLists`. */
export function patternLists(encoder: CommandEncoder, a: PatternListsArguments): void {
  checkPatternLists(a);
  const { columns, diagonals, blocks, out } = a;
  if (out.sets === 0) return;
  const hasCounts = (list: IndexList | undefined): boolean => list?.countsOffset !== undefined;
  const elements = out.sets * longestPattern(a);
  encoder.dispatch({
    kernel,
    constants: {
      THREADS: encoder.isSoftwareAdapter ? 32 : 64,
      HAS_COLUMN_COUNTS: hasCounts(columns),
      HAS_DIAGONAL_COUNTS: hasCounts(diagonals),
      HAS_BLOCK_COUNTS: hasCounts(blocks?.list),
    },
    buffers: {
      columns: columns.buffer,
      diagonals: diagonals.buffer,
      blocks: blocks?.list.buffer ?? encoder.unusedIntegers,
      out: out.buffer,
    },
    parameters: {
      heads: columns.sets,
      queries: a.queries,
      headStride: a.byQuery ? 1 : a.queries,
      queryStride: a.byQuery ? columns.sets : 1,
      firstQuery: a.firstQuery,
      anchor: a.anchor,
      blockTokens: blocks?.tokens ?? 1,
      columnCount: columns.count,
      columnOffset: columns.offset,
      columnRowStride: columns.rowStride,
      columnCountsOffset: columns.countsOffset ?? 0,
      diagonalCount: diagonals.count,
      diagonalOffset: diagonals.offset,
      diagonalRowStride: diagonals.rowStride,
      diagonalCountsOffset: diagonals.countsOffset ?? 0,
      blockCount: blocks?.list.count ?? 0,
      blockOffset: blocks?.list.offset ?? 0,
      blockRowStride: blocks?.list.rowStride ?? 0,
      blockCountsOffset: blocks?.list.countsOffset ?? 0,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      countsOffset: out.countsOffset!,
    },
    workgroups: linearGrid(out.sets, encoder.maxWorkgroupsPerDimension),
    work: { flops: 16 * elements, bytes: 8 * elements },
  });
}
