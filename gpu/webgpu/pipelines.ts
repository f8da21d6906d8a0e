import { DeviceError } from '../device-error';
import { BindGroups } from './bind-groups';
import type { Storage } from './buffers';
import { type BindingAccess, type Kernel, kernelCode, type ParameterType } from './kernel';
import type { KernelConstants } from './unroll';
import type { PipelineName } from './warm-up-list';

/** Bytes of one dispatch's parameters: the alignment of dynamic uniform offsets. */
export const PARAMETER_BYTES = 256;

/** A parameter of a kernel: where it goes, in words of four bytes. */
export interface ParameterField {
  readonly name: string;
  readonly word: number;
  readonly type: ParameterType;
  /** Which of several records had it the last time. */
  record: number;
}

/** What all variants of a kernel share. */
export interface KernelInterface {
  readonly layout: GPUBindGroupLayout;
  readonly pipelineLayout: GPUPipelineLayout;
  readonly fields: readonly ParameterField[];
  /** Names of the bindings, from binding 1 on. */
  readonly bindings: readonly string[];
  /** Which bindings are read, and which written. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly bindGroups: BindGroups;
  /** What the dispatch being encoded binds. */
  readonly bound: Storage[];
  readonly variants: Variant[];
}

/** A kernel with one set of constants. */
interface Variant {
  readonly constants: KernelConstants;
  /** Undefined until it was compiled. */
  pipeline: GPUComputePipeline | undefined;
}

/** Compiles kernels, once per kernel and set of constants: ahead of their use, or when they are used. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #unrollsLoops: boolean;
  readonly #fail: (error: Error) => void;
  /** Pending: checks of what was compiled. */
  readonly #checks = new Set<Promise<void>>();
  readonly #interfaces = new Map<Kernel, KernelInterface>();

  /** @param fail receives compile errors, which WebGPU reports after the fact */
  constructor(device: GPUDevice, fail: (error: Error) => void, unrollsLoops = true) {
    this.#device = device;
    this.#unrollsLoops = unrollsLoops;
    this.#fail = fail;
  }

  interfaceOf(kernel: Kernel): KernelInterface {
    return this.#interfaces.get(kernel) ?? this.#describe(kernel);
  }

  /** The pipeline, compiled now if it was not yet. */
  get(kernel: Kernel, shared: KernelInterface, constants: KernelConstants): GPUComputePipeline {
    const variant = variantOf(shared, constants);
    variant.pipeline ??= this.#compile(kernel, constants, shared.pipelineLayout);
    return variant.pipeline;
  }

  /**
   * Compiles a kernel without making anybody wait, unless it was compiled already. Resolves once that is done; an error is
   * left to its use, which explains it.
   */
  async warmUp(kernel: Kernel, constants: KernelConstants): Promise<void> {
    const device = this.#device;
    try {
      const shared = this.interfaceOf(kernel);
      const variant = variantOf(shared, constants);
      if (variant.pipeline) return;
      const code = kernelCode(kernel, constants, this.#unrollsLoops);
      device.pushErrorScope('validation');
      const module = device.createShaderModule({ label: kernel.name, code });
      void device.popErrorScope().catch(() => {});
      const pipeline = await device.createComputePipelineAsync({
        label: kernel.name,
        layout: shared.pipelineLayout,
        compute: { module, entryPoint: 'main' },
      });
      variant.pipeline ??= pipeline;
    } catch {
      // Not valid, which its use explains, or the device is gone.
    }
  }

  /** Kernels and constants in use so far, in the order of their first use. */
  inUse(): PipelineName[] {
    return [...this.#interfaces].flatMap(([{ name }, { variants }]) =>
      variants.map(({ constants }) => ({ kernel: name, constants })),
    );
  }

  #describe(kernel: Kernel): KernelInterface {
    const accesses = Object.values(kernel.bindings);
    const layout = this.#device.createBindGroupLayout({
      label: kernel.name,
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAMETER_BYTES },
        },
        ...accesses.map((access, index) => ({
          binding: index + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
        })),
      ],
    });
    const described = {
      layout,
      pipelineLayout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      fields: Object.entries(kernel.parameters).map(([name, type], word) => ({
        name,
        word,
        type,
        record: 0,
      })),
      bindings: Object.keys(kernel.bindings),
      reads: bindingsFor(accesses, 'read'),
      writes: bindingsFor(accesses, 'write'),
      bindGroups: new BindGroups(),
      bound: [],
      variants: [],
    };
    this.#interfaces.set(kernel, described);
    return described;
  }

  #compile(kernel: Kernel, constants: KernelConstants, layout: GPUPipelineLayout): GPUComputePipeline {
    const device = this.#device;
    const code = kernelCode(kernel, constants, this.#unrollsLoops);
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label: kernel.name, code });
    const pipeline = device.createComputePipeline({
      label: kernel.name,
      layout,
      compute: { module, entryPoint: 'main' },
    });
    const check = device
      .popErrorScope()
      .then(async (error) => {
        if (error) this.#fail(await compileError(kernel.name, code, module, error));
      })
      .catch(() => {})
      .finally(() => this.#checks.delete(check));
    this.#checks.add(check);
    return pipeline;
  }

  /** Resolves once every kernel compiled so far is known to be right, or its error was reported. */
  async settled(): Promise<void> {
    if (this.#checks.size > 0) await Promise.all(this.#checks);
  }
}

/** The variant with these constants, in the interface from now on. A kernel has few. */
function variantOf({ variants }: KernelInterface, constants: KernelConstants): Variant {
  for (let index = 0; index < variants.length; index++) {
    if (isSame(variants[index]!.constants, constants)) return variants[index]!;
  }
  const variant = { constants, pipeline: undefined };
  variants.push(variant);
  return variant;
}

/** Whether constants, which of one kernel have the same names, are equal. */
function isSame(a: KernelConstants, b: KernelConstants): boolean {
  for (const name in b) if (a[name] !== b[name]) return false;
  return true;
}

function bindingsFor(accesses: readonly BindingAccess[], wanted: BindingAccess): number[] {
  return accesses.flatMap((access, index) => (access === wanted ? [index] : []));
}

async function compileError(
  name: string,
  code: string,
  module: GPUShaderModule,
  error: GPUError,
): Promise<Error> {
  const { messages } = await module.getCompilationInfo();
  // Line 1 holds the constants, so that the kernel's file starts at line 2.
  const where = messages.map(
    ({ lineNum, linePos, type, message }) => `${name}.wgsl:${lineNum - 1}:${linePos}: ${type}: ${message}`,
  );
  return new DeviceError(`kernel ${name} does not compile\n${where.join('\n') || error.message}\n\n${code}`);
}
