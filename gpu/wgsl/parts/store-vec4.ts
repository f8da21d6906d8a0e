import type { ElementKernels } from '../../webgpu/elements';
import { defineKernel, type Shader, withParts } from '../../webgpu/kernel';
import scalarsCode from './store-vec4-scalars.wgsl';
import vectorsCode from './store-vec4-vectors.wgsl';

/**
 * The kernels of a shader whose threads hold four neighbouring results each and put them into `out: array<Element>`: float by float,
 * or by vectors where its rows are whole vectors. The parts of a memory line that neighbours write are then written once.
 */
export function defineVec4StoreKernels<Binding extends string, Parameter extends string>(
  name: string,
  shader: Shader<Binding, Parameter>,
): ElementKernels<Binding, Parameter> {
  return {
    scalars: defineKernel(name, withParts(shader, scalarsCode)),
    vectors: defineKernel(`${name}-vectors`, withParts(shader, vectorsCode)),
  };
}
