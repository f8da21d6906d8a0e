import { type KernelConstants, unrollLoops } from './unroll';

/** How a kernel uses a storage binding. */
export type BindingAccess = 'read' | 'write';

/** A part of WGSL that not every device has: the code may use it only where the capabilities say so. */
export type Extension = 'subgroups' | 'f16';

/**
 * A compute kernel: WGSL with one uniform block `params: Params` of scalars at binding 0 and storage buffers from binding 1
 * on, in the order of `bindings`. `write` bindings are `read_write` in WGSL.
 */
export interface Kernel {
  readonly name: string;
  readonly code: string;
  readonly bindings: readonly { readonly name: string; readonly access: BindingAccess }[];
  /** Enabled ahead of the code, which must not say `enable` itself. */
  readonly extensions: readonly Extension[];
}

const kernels = new Map<string, Kernel>();

/** The kernel of a name, if this program has one. */
export function kernelNamed(name: string): Kernel | undefined {
  return kernels.get(name);
}

/** Names are all different: a kernel is found by its own. */
export function defineKernel(
  name: string,
  code: string,
  bindings: Readonly<Record<string, BindingAccess>>,
  extensions: readonly Extension[] = [],
): Kernel {
  const kernel = {
    name,
    code,
    extensions,
    bindings: Object.entries(bindings).map(([bindingName, access]) => ({ name: bindingName, access })),
  };
  kernels.set(name, kernel);
  return kernel;
}

/** The kernel's code behind its extensions and constants, which are a single line: line numbers shift by exactly one. */
export function kernelCode({ code, extensions }: Kernel, constants: KernelConstants): string {
  const enabled = extensions.map((extension) => `enable ${extension};`);
  const declared = Object.entries(constants).map(([name, value]) =>
    typeof value === 'boolean' ? `const ${name}: bool = ${value};` : `const ${name}: u32 = ${value}u;`,
  );
  return `${[...enabled, ...declared].join(' ')}\n${unrollLoops(code, constants)}`;
}
