import type { ScoreRule } from '../../arguments';
import { type Shader, withParts } from '../../webgpu/kernel';
import code from './score.wgsl';

/** The shader, then what makes scores of products. */
export function scored<Binding extends string, Parameter extends string>(
  shader: Shader<Binding, Parameter>,
): Shader<Binding, Parameter> {
  return withParts(shader, code);
}

/** What its code is compiled for. */
export function scoreConstants({ softCap }: ScoreRule) {
  return { CAPPED: softCap !== undefined };
}

/** Its parameters. */
export function scoreParameters({ scale, softCap = 0 }: ScoreRule) {
  return { scale, softCap };
}
