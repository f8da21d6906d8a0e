import { type Shader, withParts } from '../../webgpu/kernel';
import { gemmTile, type TileShape } from './gemm-tile';
import { masked } from './mask';
import code from './probability-tile.wgsl';

/** The shader, then the tile of attention probabilities that it computes. */
export function probabilityTile<Binding extends string, Parameter extends string>(
  shader: Shader<Binding, Parameter>,
): Shader<Binding, Parameter> {
  return gemmTile(masked(withParts(shader, code)));
}

export const threadsOf = ({ constants }: TileShape): number =>
  Number(constants.WIDE) * Number(constants.HIGH);
