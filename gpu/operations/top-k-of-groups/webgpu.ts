import type { ScoreRows } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import { asRows } from '../../validate';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { fill } from '../../webgpu/fill';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { copyRows } from '../copy-rows/webgpu';
import { topK } from '../top-k/webgpu';
import candidatesShader from './candidates.wgsl';
import { checkTopKOfGroups, type TopKOfGroupsArguments } from './op';
import raiseShader from './raise.wgsl';
import splitShader from './split.wgsl';

const candidatesKernel = defineKernel('top-k-of-groups-candidates', candidatesShader);
const raiseKernel = defineKernel('top-k-of-groups-raise', raiseShader);
const splitKernel = defineKernel('top-k-of-groups-split', splitShader);

/**
 * Encodes `Ops.topKOfGroups`: the rows of a group, end to end, are one row of topK, whose order of equal entries is then row by
 * row.
 * What floors keep is found by topK too, and raised above everything else.
 */
export function topKOfGroups(encoder: CommandEncoder, a: TopKOfGroupsArguments): void {
  checkTopKOfGroups(a);
  const { score, rowsPerGroup, out, tied } = a;
  if (score.rows === 0) return;
  const groups = score.rows / rowsPerGroup;
  const floor = Math.min(a.floorCount, score.length);
  const count = Math.min(a.count, rowsPerGroup * score.length);
  // What floors leave is the same list of each group, whoever ties.
  const hasChoice = count > rowsPerGroup * floor;
  if (tied && !hasChoice) fill(encoder, tied.buffer, tied.offset, groups, 0);
  if (count === 0) {
    fill(encoder, out.buffer, out.countsOffset!, out.sets, 0);
    return;
  }
  const candidates = floor > 0 ? withFloors(encoder, a, floor) : endToEnd(encoder, score);
  const kept = encoder.temporary('u32', groups * count, 'kept of groups');
  topK(encoder, {
    score: joined(candidates, rowsPerGroup),
    secondary: a.secondary && joined(endToEnd(encoder, a.secondary), rowsPerGroup),
    count,
    indexBase: 0,
    out: { buffer: kept, offset: 0, sets: groups, count, rowStride: count },
    tied: hasChoice ? tied : undefined,
  });
  split(encoder, a, kept, groups, count);
}

/** The rows of each group as one row. */
function joined(rows: ScoreRows, rowsPerGroup: number): ScoreRows {
  const { buffer, offset, length } = rows;
  const joinedLength = rowsPerGroup * length;
  return { buffer, offset, rows: rows.rows / rowsPerGroup, length: joinedLength, rowStride: joinedLength };
}

/** The rows themselves if nothing lies between them, otherwise a temporary copy. */
function endToEnd(encoder: CommandEncoder, rows: ScoreRows): ScoreRows {
  if (rows.rows < 2 || rows.rowStride === rows.length) return rows;
  const copy = denseRows(encoder, rows, 'rows end to end');
  copyRows(encoder, { input: asRows(rows), out: asRows(copy) });
  return copy;
}

function denseRows(encoder: CommandEncoder, { rows, length }: ScoreRows, label: string): ScoreRows {
  return {
    buffer: encoder.temporary('f32', rows * length, label),
    offset: 0,
    rows,
    length,
    rowStride: length,
  };
}

/** A copy of the scores in which each row's `floor` best are above all others. */
function withFloors(
  encoder: CommandEncoder,
  { score, secondary }: TopKOfGroupsArguments,
  floor: number,
): ScoreRows {
  const { rows, length } = score;
  const floors = encoder.temporary('u32', rows * floor, 'floors');
  const out = { buffer: floors, offset: 0, sets: rows, count: floor, rowStride: floor };
  topK(encoder, { score, secondary, count: floor, indexBase: 0, out });
  const candidates = denseRows(encoder, score, 'candidates');
  const { maxWorkgroupsPerDimension } = encoder;
  encoder.dispatch({
    kernel: candidatesKernel,
    constants: {},
    buffers: { score: score.buffer, out: candidates.buffer },
    parameters: { rows, length, scoreOffset: score.offset, scoreRowStride: score.rowStride },
    workgroups: linearGrid(Math.ceil((rows * length) / 64), maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * rows * length },
  });
  encoder.dispatch({
    kernel: raiseKernel,
    constants: {},
    buffers: { floors, candidates: candidates.buffer },
    parameters: { rows, count: floor, length },
    workgroups: linearGrid(Math.ceil((rows * floor) / 64), maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * rows * floor },
  });
  return candidates;
}

function split(
  encoder: CommandEncoder,
  { score, rowsPerGroup, indexBase, out }: TopKOfGroupsArguments,
  kept: DeviceBuffer,
  groups: number,
  count: number,
): void {
  const entries = groups * count;
  encoder.dispatch({
    kernel: splitKernel,
    constants: {},
    buffers: { kept, out: out.buffer },
    parameters: {
      groups,
      rowsPerGroup,
      length: score.length,
      kept: count,
      indexBase,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      countsOffset: out.countsOffset!,
    },
    workgroups: linearGrid(Math.ceil(entries / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 40 * entries, bytes: 12 * entries },
  });
}
