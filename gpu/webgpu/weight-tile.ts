import { productTile, type TileShape } from './kernels/product-tile';
import code from './kernels/weight-tile.wgsl?raw';

/** A kernel's own code, then the tile of attention weights that it computes. */
export const weightTile = (kernelCode: string): string => productTile(`${kernelCode}\n${code}`);

export const threadsOf = ({ constants }: TileShape): number =>
  Number(constants.WIDE) * Number(constants.HIGH);
