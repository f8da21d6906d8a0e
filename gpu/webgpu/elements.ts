import type { Rows } from '../rows';
import { defineKernel, type Kernel, type Shader } from './kernel';
import { hasVectors, inVectors } from './views';

/** A kernel that handles elements one by one, and the same in vectors of four. */
export interface ElementKernels<Binding extends string = string, Parameter extends string = string> {
  readonly scalars: Kernel<Binding, Parameter>;
  readonly vectors: Kernel<Binding, Parameter>;
}

/** What a kernel's code may use of its element: the type, and the sum over its numbers. */
const SCALARS = {
  u32: 'alias Element = u32;',
  f32: 'alias Element = f32; fn total(x: Element) -> f32 { return x; }',
};
const VECTORS = {
  u32: 'alias Element = vec4u;',
  f32: 'alias Element = vec4f; fn total(x: Element) -> f32 { return x.x + x.y + x.z + x.w; }',
};

/** Both kernels of a shader that names the type of what it reads and writes `Element`. */
export function defineElementKernels<Binding extends string, Parameter extends string>(
  name: string,
  type: 'f32' | 'u32',
  shader: Shader<Binding, Parameter>,
): ElementKernels<Binding, Parameter> {
  return {
    scalars: defineKernel(name, { ...shader, code: `${SCALARS[type]} ${shader.code}` }),
    vectors: defineKernel(`${name}-vectors`, ofVectors(type, shader)),
  };
}

/** The shader whose elements are vectors. */
export function ofVectors<Binding extends string, Parameter extends string>(
  type: 'f32' | 'u32',
  shader: Shader<Binding, Parameter>,
): Shader<Binding, Parameter> {
  return { ...shader, code: `${VECTORS[type]} ${shader.code}` };
}

/** The kernel for these views, and the views in its elements: vectors if all of them have them. */
export function inElements<Name extends string, Binding extends string, Parameter extends string>(
  { scalars, vectors }: ElementKernels<Binding, Parameter>,
  views: Readonly<Record<Name, Rows>>,
): {
  readonly kernel: Kernel<Binding, Parameter>;
  readonly views: Readonly<Record<Name, Rows>>;
  readonly width: 1 | 4;
} {
  for (const name in views) if (!hasVectors(views[name])) return { kernel: scalars, views, width: 1 };
  const inFours = {} as Record<Name, Rows>;
  for (const name in views) inFours[name] = inVectors(views[name]);
  return { kernel: vectors, views: inFours, width: 4 };
}
