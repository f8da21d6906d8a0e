import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { prepareProbabilities, probabilityWork, shareOf } from '../../webgpu/probabilities';
import { type TileShape, tileShape } from '../../wgsl/parts/gemm-tile';
import { probabilityTile, threadsOf } from '../../wgsl/parts/probability-tile';
import { sumHeads } from '../sum-heads/webgpu';
import shader from './mass-by-group-tiled.wgsl';
import type { MassByGroupArguments } from './op';

const kernel = defineKernel('mass-by-group-tiled', probabilityTile(shader));

/** A block, the groupings whose groups fit beside it, and how many sums by grouping and group a thread holds. */
export interface MassShape extends TileShape {
  readonly groupings: number;
  readonly bins: number;
}
const BLOCK = tileShape(8, 8, 1, 1);
/** Sums that a thread has no use for cost as much as others. */
const SHAPES: readonly MassShape[] = [2, 5].map((bins) => ({ ...BLOCK, groupings: 16, bins }));

/** Sums of shares held at a time: 16 MiB. */
const MOST_SUMS = 2 ** 22;

const sumsOf = ({ bins, constants }: MassShape): number => bins * Number(constants.WIDE);

/** The smallest shape that takes everything in one pass, or the largest; undefined if not even one grouping's groups fit. */
export function massShape(groupings: number, groups: number): MassShape | undefined {
  const fitting = SHAPES.filter((shape) => groups <= sumsOf(shape));
  return fitting.find((shape) => groupings * groups <= sumsOf(shape)) ?? fitting.at(-1);
}

/**
 * Encodes `Ops.massByGroup` with the probabilities in workgroup memory, as many groupings at a time as fit there: sums per share
 * of the keys, then over the shares. There is something to do, and `shape` takes one grouping's groups.
 */
export function massByGroupTiled(encoder: CommandEncoder, a: MassByGroupArguments, shape: MassShape): void {
  const { query, key, groupings, sets, groups, out } = a;
  const { buffers, parameters, constants } = prepareProbabilities(encoder, a);
  const size = groupings * query.heads * query.rows * groups;
  const keyTiles = Math.ceil(key.rows / shape.rightRows);
  const rowTiles = query.heads * Math.ceil(query.rows / shape.leftRows);
  const wanted = Math.min(
    Math.ceil(encoder.parallelThreads / (threadsOf(shape) * rowTiles)),
    Math.floor(MOST_SUMS / size),
  );
  const shareTiles = Math.max(1, Math.ceil(keyTiles / Math.max(1, wanted)));
  const shares = Math.ceil(keyTiles / shareTiles);
  const sums = shares === 1 ? out : encoder.temporary('f32', shares * size, 'mass by group of shares');
  const items = rowTiles * shares;
  const { flops, bytes } = probabilityWork(a);
  const work = { flops: flops * (1 + sumsOf(shape) / query.channels), bytes };
  const most = Math.min(shape.groupings, Math.floor(sumsOf(shape) / groups));
  for (const chunk of spans(groupings, Math.ceil(groupings / most), 1)) {
    for (const { start, count } of spans(items, encoder.partsFor(work), 1)) {
      encoder.dispatch({
        kernel,
        constants: { ...shape.constants, ...constants, GROUPINGS: shape.groupings, BINS: shape.bins },
        buffers: { ...buffers, groupOf: a.groupOf, out: sums },
        parameters: [
          {
            firstItem: start,
            endItem: start + count,
            shares,
            shareKeys: shareTiles * shape.rightRows,
            headsPerSet: query.heads / sets,
            sets,
            firstGrouping: chunk.start,
            groupingCount: chunk.count,
            groupings,
            heads: query.heads,
            groups,
          },
          parameters,
        ],
        workgroups: linearGrid(count, encoder.maxWorkgroupsPerDimension),
        work: shareOf(work, count / items),
      });
    }
  }
  if (shares === 1) return;
  const rowOf = { rows: 1, channels: size, rowStride: size, headStride: size };
  sumHeads(encoder, {
    input: { buffer: sums, offset: 0, heads: shares, ...rowOf },
    out: { buffer: out, offset: 0, heads: 1, ...rowOf },
  });
}
