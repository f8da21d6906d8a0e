import { type Shader, withParts } from '../../webgpu/kernel';
import code from './mask.wgsl';
import { scored } from './score';

/** The shader, then what tells it which keys a query sees and what makes scores. */
export function masked<Binding extends string, Parameter extends string>(
  shader: Shader<Binding, Parameter>,
): Shader<Binding, Parameter> {
  return scored(withParts(shader, code));
}
