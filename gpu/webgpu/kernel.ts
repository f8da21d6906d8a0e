import { type KernelConstants, unrollLoops } from './unroll';

/** How a kernel uses a storage binding. */
export type BindingAccess = 'read' | 'write';

/** A part of WGSL that not every device has: the code may use it only where the capabilities say so. */
export type Extension = 'subgroups' | 'f16';

/** The type of a scalar of `Params`. */
export type ParameterType = 'u32' | 'f32';

/**
 * What the build makes of a `.wgsl` file (scripts/wgsl.mjs): WGSL with one uniform block `params: Params` of scalars at binding 0
 * and storage buffers from binding 1 on, in the order of `bindings`. `write` bindings are `read_write` in WGSL.
 */
export interface Shader<Binding extends string = string, Parameter extends string = string> {
  readonly code: string;
  readonly bindings: Readonly<Record<Binding, BindingAccess>>;
  /** In their order, a word of four bytes each. */
  readonly parameters: Readonly<Record<Parameter, ParameterType>>;
}

/** A compute kernel. */
export interface Kernel<Binding extends string = string, Parameter extends string = string>
  extends Shader<Binding, Parameter> {
  readonly name: string;
  /** Enabled ahead of the code, which must not say `enable` itself. */
  readonly extensions: readonly Extension[];
}

const kernels = new Map<string, Kernel>();

/** The kernel of a name, if this program has one. */
export function kernelNamed(name: string): Kernel | undefined {
  return kernels.get(name);
}

/** Names are all different: a kernel is found by its own. */
export function defineKernel<Binding extends string, Parameter extends string>(
  name: string,
  shader: Shader<Binding, Parameter>,
  extensions: readonly Extension[] = [],
): Kernel<Binding, Parameter> {
  const kernel = { ...shader, name, extensions };
  kernels.set(name, kernel);
  return kernel;
}

/** A shader with parts behind its own code, which has all bindings. */
export function withParts<Binding extends string, Parameter extends string>(
  shader: Shader<Binding, Parameter>,
  ...parts: readonly string[]
): Shader<Binding, Parameter> {
  return { ...shader, code: [shader.code, ...parts].join('\n') };
}

/** The kernel's code behind its extensions and constants, which are a single line: line numbers shift by exactly one. */
export function kernelCode(
  { code, extensions }: Kernel,
  constants: KernelConstants,
  unrollsLoops = true,
): string {
  const enabled = extensions.map((extension) => `enable ${extension};`);
  const declared = Object.entries(constants).map(([name, value]) =>
    typeof value === 'boolean' ? `const ${name}: bool = ${value};` : `const ${name}: u32 = ${value}u;`,
  );
  return `${[...enabled, ...declared].join(' ')}\n${unrollsLoops ? unrollLoops(code, constants) : code}`;
}
