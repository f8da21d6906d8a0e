import { type Shader, withParts } from '../../webgpu/kernel';
import code from './mask.wgsl';

/** The shader, then what tells it which keys a query sees. */
export function masked<Binding extends string, Parameter extends string>(
  shader: Shader<Binding, Parameter>,
): Shader<Binding, Parameter> {
  return withParts(shader, code);
}
