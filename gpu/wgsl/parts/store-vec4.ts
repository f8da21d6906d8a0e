import type { ElementKernels } from '../../webgpu/elements';
import { type BindingAccess, defineKernel } from '../../webgpu/kernel';
import scalarsCode from './store-vec4-scalars.wgsl?raw';
import vectorsCode from './store-vec4-vectors.wgsl?raw';

/**
 * The kernels of a code whose threads hold four neighbouring results each and put them into `out: array<Element>`: float by float,
 * or by vectors where its rows are whole vectors. The parts of a memory line that neighbours write are then written once.
 */
export function defineVec4StoreKernels(
  name: string,
  code: string,
  bindings: Readonly<Record<string, BindingAccess>>,
): ElementKernels {
  return {
    scalars: defineKernel(name, `${code}\n${scalarsCode}`, bindings),
    vectors: defineKernel(`${name}-vectors`, `${code}\n${vectorsCode}`, bindings),
  };
}
