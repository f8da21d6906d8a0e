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
  const fits = LARGE.workgroupBytes + extraBytes <= encoder.capabilities.maxWorkgroupStorageBytes;
  if (fits && blocksOf(LARGE, left, right) >= encoder.parallelThreads / 256) return LARGE;
  return blocksOf(MEDIUM, left, right) >= encoder.parallelThreads / 1024 ? MEDIUM : SMALL;
}

/** A block for products whose workgroups end with them, and how many of it are enough on a device of 131,072 parallel threads. */
const PRODUCTS: readonly { readonly shape: TileShape; readonly enough: number }[] = [
  { shape: LARGE, enough: 512 },
  { shape: tileShape(16, 8, 2, 2), enough: 224 },
  { shape: tileShape(16, 8, 2, 1), enough: 288 },
  { shape: tileShape(8, 8, 2, 2, 2), enough: 192 },
  { shape: MEDIUM, enough: 192 },
  { shape: tileShape(8, 8, 2, 1, 2), enough: 96 },
];

/**
 * The same for a product whose workgroups end with it: the channels of smaller blocks are split (split-K), as long as each split has
 * some. Measured on an H100, whose 132 processors wait for memory unless each has several blocks: of 21 products of 1,024 and 2,048
 * rows, 128 to 3,072 columns and 192 to 4,864 channels, the fastest block of 21 or one that takes a tenth more at most.
 */
export function splitTileOf(
  encoder: CommandEncoder,
  left: number,
  right: number,
  channels: number,
): TileShape {
  const { maxWorkgroupStorageBytes } = encoder.capabilities;
  const isAllowed = ({ constants, workgroupBytes }: TileShape): boolean =>
    workgroupBytes <= maxWorkgroupStorageBytes && channels > DEPTH * (Number(constants.SPLIT_K) / 2);
  const share = encoder.parallelThreads / 131_072;
  const chosen = PRODUCTS.find(
    ({ shape, enough }) => isAllowed(shape) && blocksOf(shape, left, right) >= share * enough,
  );
  return chosen?.shape ?? SMALL_SPLIT_K.find(isAllowed) ?? SMALL;
}

function blocksOf({ leftRows, rightRows }: TileShape, left: number, right: number): number {
  return Math.ceil(left / leftRows) * Math.ceil(right / rightRows);
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
