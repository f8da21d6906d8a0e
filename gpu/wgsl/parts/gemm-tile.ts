import type { CommandEncoder } from '../../webgpu/command-encoder';
import { type Shader, withParts } from '../../webgpu/kernel';
import type { KernelConstants } from '../../webgpu/unroll';
import code from './gemm-tile.wgsl';

/** A workgroup's block of a product, see gemm-tile.wgsl. */
export interface TileShape {
  readonly constants: KernelConstants;
  readonly leftRows: number;
  readonly rightRows: number;
  /** What it takes of a workgroup's memory. */
  readonly workgroupBytes: number;
}

const LARGE = tileShape(16, 16, 2, 2);
const MEDIUM = tileShape(8, 8, 2, 2);
const SMALL = tileShape(8, 8, 1, 1);
const SMALL_SPLIT_K = [4, 2].map((splitK) => tileShape(8, 8, 1, 1, splitK));
/** Channels that a split goes through at a time. */
const DEPTH = 16;

/** The shader with the product of two blocks of rows behind it. */
export function gemmTile<Binding extends string, Parameter extends string>(
  shader: Shader<Binding, Parameter>,
): Shader<Binding, Parameter> {
  return withParts(shader, code);
}

/**
 * The block for a product of so many left and right rows: a large one multiplies more for every load, small ones are more, and
 * a device that has nothing to do in some of its processors is slower than one that loads more. `extraBytes`: what else the
 * kernel keeps in workgroup memory. The numbers of blocks were measured on an H100 (docs/performance.md).
 */
export function tileOf(encoder: CommandEncoder, left: number, right: number, extraBytes = 0): TileShape {
  const blocks = ({ leftRows, rightRows }: TileShape) =>
    Math.ceil(left / leftRows) * Math.ceil(right / rightRows);
  const fits = LARGE.workgroupBytes + extraBytes <= encoder.capabilities.maxWorkgroupStorageBytes;
  if (fits && blocks(LARGE) >= encoder.parallelThreads / 256) return LARGE;
  return blocks(MEDIUM) >= encoder.parallelThreads / 1024 ? MEDIUM : SMALL;
}

/**
 * The same for a product whose workgroups end with it: where small blocks are few, their channels are split (split-K), as
 * long as each split has some.
 */
export function splitTileOf(
  encoder: CommandEncoder,
  left: number,
  right: number,
  channels: number,
): TileShape {
  const shape = tileOf(encoder, left, right);
  if (shape !== SMALL) return shape;
  const { maxWorkgroupStorageBytes } = encoder.capabilities;
  const shared = SMALL_SPLIT_K.find(
    ({ constants, workgroupBytes }) =>
      workgroupBytes <= maxWorkgroupStorageBytes && channels > DEPTH * (Number(constants.SPLIT_K) / 2),
  );
  return shared ?? SMALL;
}

/**
 * A block of 4·high·rowGroups left × 4·wide·columnGroups right rows, for wide·high threads in each of `splitK` splits of the
 * channels.
 */
export function tileShape(
  wide: number,
  high: number,
  rowGroups: number,
  columnGroups: number,
  splitK = 1,
): TileShape {
  const [leftRows, rightRows] = [4 * high * rowGroups, 4 * wide * columnGroups];
  return {
    constants: {
      WIDE: wide,
      HIGH: high,
      SPLIT_K: splitK,
      ROW_GROUPS: rowGroups,
      COLUMN_GROUPS: columnGroups,
      LEFT_LOADS: (4 * leftRows) / (wide * high),
      RIGHT_LOADS: (4 * rightRows) / (wide * high),
    },
    leftRows,
    rightRows,
    // 16 channels, in vectors of four rows and one more.
    workgroupBytes: splitK * 256 * (leftRows / 4 + rightRows / 4 + 2),
  };
}
