import { productTile, type TileShape } from './kernels/product-tile';
import code from './kernels/weight-tile.wgsl?raw';

/** A kernel's own code, then the tile of attention weights that it computes. */
export const weightTile = (kernelCode: string): string => productTile(`${kernelCode}\n${code}`);

/** A block of 4·high·rowGroups queries × 4·wide·columnGroups keys (kernels/product-tile.wgsl). */
export function tileShape(wide: number, high: number, rowGroups: number, columnGroups: number): TileShape {
  const [leftRows, rightRows] = [4 * high * rowGroups, 4 * wide * columnGroups];
  return {
    constants: {
      WIDE: wide,
      HIGH: high,
      ROW_GROUPS: rowGroups,
      COLUMN_GROUPS: columnGroups,
      LEFT_LOADS: (4 * leftRows) / (wide * high),
      RIGHT_LOADS: (4 * rightRows) / (wide * high),
    },
    leftRows,
    rightRows,
    workgroupBytes: 256 * (leftRows / 4 + rightRows / 4 + 2),
  };
}

export const threadsOf = ({ constants }: TileShape): number =>
  Number(constants.WIDE) * Number(constants.HIGH);
