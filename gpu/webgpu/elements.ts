import type { Rows } from '../rows';
import { type BindingAccess, defineKernel, type Kernel } from './kernel';
import { hasVectors, inVectors } from './views';

/** A kernel that handles elements one by one, and the same in vectors of four. */
export interface ElementKernels {
  readonly scalars: Kernel;
  readonly vectors: Kernel;
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

/** Both kernels of a code that names the type of what it reads and writes `Element`. */
export function defineElementKernels(
  name: string,
  type: 'f32' | 'u32',
  code: string,
  bindings: Readonly<Record<string, BindingAccess>>,
): ElementKernels {
  return {
    scalars: defineKernel(name, `${SCALARS[type]} ${code}`, bindings),
    vectors: defineKernel(`${name}-vectors`, `${VECTORS[type]} ${code}`, bindings),
  };
}

/** The kernel for these views, and the views in its elements: vectors if all of them have them. */
export function inElements<Name extends string>(
  { scalars, vectors }: ElementKernels,
  views: Readonly<Record<Name, Rows>>,
): { readonly kernel: Kernel; readonly views: Readonly<Record<Name, Rows>>; readonly width: 1 | 4 } {
  for (const name in views) if (!hasVectors(views[name])) return { kernel: scalars, views, width: 1 };
  const inFours = {} as Record<Name, Rows>;
  for (const name in views) inFours[name] = inVectors(views[name]);
  return { kernel: vectors, views: inFours, width: 4 };
}
