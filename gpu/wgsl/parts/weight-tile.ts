import { gemmTile, type TileShape } from './gemm-tile';
import code from './weight-tile.wgsl?raw';

/** A kernel's own code, then the tile of attention weights that it computes. */
export const weightTile = (kernelCode: string): string => gemmTile(`${kernelCode}\n${code}`);

export const threadsOf = ({ constants }: TileShape): number =>
  Number(constants.WIDE) * Number(constants.HIGH);
