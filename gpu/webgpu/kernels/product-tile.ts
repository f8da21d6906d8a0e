import type { KernelConstants } from '../kernel';
import type { Recorder } from '../recorder';
import code from './product-tile.wgsl?raw';

/** A workgroup's block of a product, see product-tile.wgsl. */
export interface TileShape {
  readonly constants: KernelConstants;
  readonly leftRows: number;
  readonly rightRows: number;
  /** What it takes of a workgroup's memory. */
  readonly workgroupBytes: number;
}

const LARGE = shape(16, 16, 2);
const MEDIUM = shape(8, 8, 2);
const SMALL = shape(8, 8, 1);

/** The kernel's code with the product of two blocks of rows behind it. */
export function productTile(kernelCode: string): string {
  return `${kernelCode}\n${code}`;
}

/**
 * The block for a product of so many left and right rows: a large one multiplies more for every load, small ones are more, and
 * a device that has nothing to do in some of its processors is slower than one that loads more. `extraBytes`: what else the
 * kernel keeps in workgroup memory. The numbers of blocks were measured on an H100 (docs/performance.md).
 */
export function tileOf(recorder: Recorder, left: number, right: number, extraBytes = 0): TileShape {
  const blocks = ({ leftRows, rightRows }: TileShape) =>
    Math.ceil(left / leftRows) * Math.ceil(right / rightRows);
  const fits = LARGE.workgroupBytes + extraBytes <= recorder.capabilities.maxWorkgroupStorageBytes;
  if (fits && blocks(LARGE) >= recorder.parallelThreads / 128) return LARGE;
  return blocks(MEDIUM) >= recorder.parallelThreads / 1024 ? MEDIUM : SMALL;
}

function shape(wide: number, high: number, groups: number): TileShape {
  const [leftRows, rightRows] = [4 * high * groups, 4 * wide * groups];
  const depth = 16;
  return {
    constants: {
      WIDE: wide,
      HIGH: high,
      ROW_GROUPS: groups,
      COLUMN_GROUPS: groups,
      LEFT_LOADS: (leftRows * depth) / 4 / (wide * high),
      RIGHT_LOADS: (rightRows * depth) / 4 / (wide * high),
    },
    leftRows,
    rightRows,
    workgroupBytes: 16 * depth * (leftRows / 4 + rightRows / 4 + 2),
  };
}
