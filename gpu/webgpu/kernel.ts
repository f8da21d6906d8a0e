/** How a kernel uses a storage binding. */
export type BindingAccess = 'read' | 'write';

/**
 * A compute kernel: WGSL with one uniform block `params: Params` of scalars at binding 0 and storage buffers from binding 1
 * on, in the order of `bindings`. `write` bindings are `read_write` in WGSL.
 */
export interface Kernel {
  readonly name: string;
  readonly code: string;
  readonly bindings: readonly { readonly name: string; readonly access: BindingAccess }[];
}

/** Named constants put in front of a kernel's code: numbers become `u32`. */
export type KernelConstants = Readonly<Record<string, number | boolean>>;

export function defineKernel(
  name: string,
  code: string,
  bindings: Readonly<Record<string, BindingAccess>>,
): Kernel {
  return {
    name,
    code,
    bindings: Object.entries(bindings).map(([bindingName, access]) => ({ name: bindingName, access })),
  };
}

/** The constants as WGSL on a single line, so that line numbers shift by exactly one. */
export function constantLine(constants: KernelConstants): string {
  return Object.entries(constants)
    .map(([name, value]) =>
      typeof value === 'boolean' ? `const ${name}: bool = ${value};` : `const ${name}: u32 = ${value}u;`,
    )
    .join(' ');
}
