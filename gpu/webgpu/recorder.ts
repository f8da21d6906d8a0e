import type { MeasuredTime, MemoryLimits, Stopwatch } from '../ops';
import type { DeviceBuffer, ElementType } from '../rows';
import { Buffers, type StorageBuffer } from './buffers';
import type { Capabilities } from './capabilities';
import type { OpenedDevice } from './device';
import type { Kernel, KernelConstants } from './kernel';
import { MAX_WAIT_MS, Pacer, type Work } from './pacer';
import { type CompiledKernel, PARAMETER_BYTES, Pipelines } from './pipelines';
import { PassTimer } from './timing';

/** Dispatches whose parameters fit one submission. */
const DISPATCHES_PER_SUBMISSION = 2048;
const WORDS = PARAMETER_BYTES / 4;

export interface Dispatch {
  readonly kernel: Kernel;
  readonly constants: KernelConstants;
  /** One buffer per binding of the kernel. */
  readonly buffers: Readonly<Record<string, DeviceBuffer>>;
  /** One number per field of the kernel's `Params`. */
  readonly parameters: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
  readonly work: Work;
}

/**
 * Collects dispatches into as few compute passes and submissions as possible, in order. Recording never waits; it submits
 * on its own only when a submission's worth of work has gathered.
 */
export class Recorder {
  /** Bound where a kernel does not use an input. */
  readonly unused: DeviceBuffer;
  readonly unusedIntegers: DeviceBuffer;
  readonly #unusedOutputs: readonly DeviceBuffer[];
  /** What kernels may use of this device. */
  readonly capabilities: Capabilities;
  readonly maxWorkgroupsPerDimension: number;
  /** Threads that it takes to keep the device busy, in order of magnitude. */
  readonly parallelThreads: number;
  /** Threads are loops of a CPU: waiting for each other costs them much. */
  readonly emulatesThreads: boolean;
  readonly #opened: OpenedDevice;
  readonly #device: GPUDevice;
  readonly #buffers: Buffers;
  readonly #pipelines: Pipelines;
  readonly #pacer: Pacer;
  readonly #timer: PassTimer;
  readonly #parameters: GPUBuffer;
  readonly #words = new Uint32Array(DISPATCHES_PER_SUBMISSION * WORDS);
  readonly #floats = new Float32Array(this.#words.buffer);
  readonly #dynamicOffset = new Uint32Array(1);
  #dispatches = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #passPipeline: GPUComputePipeline | undefined;
  #submission = 0;
  readonly #awaitingSubmission: (() => void)[] = [];
  #laterFlush: ReturnType<typeof setTimeout> | undefined;
  readonly #temporaries: StorageBuffer[] = [];

  constructor(opened: OpenedDevice) {
    const { device, capabilities } = opened;
    this.#opened = opened;
    this.#device = device;
    this.capabilities = capabilities;
    this.maxWorkgroupsPerDimension = capabilities.maxWorkgroupsPerDimension;
    this.parallelThreads = capabilities.parallelThreads;
    this.emulatesThreads = capabilities.isFallbackAdapter;
    this.#buffers = new Buffers(device, {
      budgetBytes: capabilities.memoryBytes,
      bufferBytes: capabilities.maxBufferBytes,
    });
    this.#pipelines = new Pipelines(device, opened.failBecause);
    this.#pacer = new Pacer(capabilities.isFallbackAdapter);
    this.#timer = new PassTimer(device, capabilities.timestampQuery);
    this.#parameters = device.createBuffer({
      label: 'parameters',
      size: this.#words.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.unused = this.allocate('f32', 4, 'unused');
    this.unusedIntegers = this.allocate('u32', 4, 'unused');
    this.#unusedOutputs = [0, 1, 2].map(() => this.allocate('f32', 4, 'unused'));
  }

  // ---- storage -------------------------------------------------------------------------------------------------

  /** New buffer of zeros. */
  allocate(type: ElementType, length: number, label: string): StorageBuffer {
    this.#opened.throwFailure();
    if (this.#buffers.mustSubmitBefore(length, label)) this.flush();
    const { buffer, reused } = this.#buffers.create(type, length, label);
    if (reused) this.clear(buffer);
    return buffer;
  }

  /** New buffer with any contents, for one operation: `releaseTemporaries` frees it. */
  temporary(type: ElementType, length: number, label: string): StorageBuffer {
    const { buffer } = this.#buffers.create(type, length, label);
    this.#temporaries.push(buffer);
    return buffer;
  }

  releaseTemporaries(): void {
    for (const buffer of this.#temporaries) this.release(buffer);
    this.#temporaries.length = 0;
  }

  /** Bound where a kernel does not use an output: another one for each, as no buffer may be written twice. */
  unusedOutput(index: 0 | 1 | 2): DeviceBuffer {
    return this.#unusedOutputs[index]!;
  }

  /** Fills a buffer with zeros, in order with dispatches. */
  clear(buffer: DeviceBuffer): void {
    this.#endPass();
    this.#commands().clearBuffer(this.#storage(buffer as StorageBuffer));
    (buffer as StorageBuffer).lastUse = this.#submission;
  }

  upload(data: Float32Array | Uint32Array, label: string): StorageBuffer {
    this.#opened.throwFailure();
    const type = data instanceof Float32Array ? 'f32' : 'u32';
    if (this.#buffers.mustSubmitBefore(data.length, label)) this.flush();
    const { buffer, reused } = this.#buffers.create(type, data.length, label);
    // Reused storage may be in recorded work.
    if (reused) buffer.lastUse = this.#submission;
    this.write(buffer, 0, data);
    return buffer;
  }

  /** Overwrites elements after everything recorded so far, before everything recorded later. */
  write(buffer: StorageBuffer, offset: number, data: Float32Array | Uint32Array): void {
    if (data.length === 0) return;
    if (buffer.lastUse === this.#submission) this.flush();
    const storage = this.#storage(buffer);
    this.#device.queue.writeBuffer(storage, offset * 4, data as GPUAllowSharedBufferSource);
  }

  /** Runs what is recorded and copies `length` elements out. */
  async read(buffer: StorageBuffer, offset: number, length: number): Promise<ArrayBuffer> {
    if (length === 0) {
      await this.finish();
      return new ArrayBuffer(0);
    }
    const label = `copy of ${buffer.label}`;
    const bytes = length * 4;
    this.#buffers.reserve(bytes, label);
    const readable = this.#device.createBuffer({
      label,
      size: bytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      this.#endPass();
      this.#commands().copyBufferToBuffer(this.#storage(buffer), offset * 4, readable, 0, length * 4);
      this.flush();
      await readable.mapAsync(GPUMapMode.READ);
      await this.#pipelines.settled();
      this.#opened.throwFailure();
      return readable.getMappedRange().slice(0);
    } catch (error) {
      return await this.#explain(error);
    } finally {
      readable.destroy();
      this.#buffers.giveBack(bytes);
    }
  }

  /** Throws the failure that WebGPU reports on the side, a moment later: it explains more than what follows from it. */
  async #explain(error: unknown): Promise<never> {
    await this.#pipelines.settled();
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#opened.throwFailure();
    throw error;
  }

  release(buffer: StorageBuffer): void {
    this.#buffers.free(buffer);
  }

  get memoryLimits(): MemoryLimits {
    return this.#buffers.limits;
  }

  memory(): { bytes: number; peakBytes: number } {
    return this.#buffers.memory();
  }

  // ---- dispatches ----------------------------------------------------------------------------------------------

  /** Into how many dispatches work should be cut so that each stays short. */
  partsFor(work: Work): number {
    return this.#pacer.partsFor(work);
  }

  dispatch(dispatch: Dispatch): void {
    const { kernel, workgroups } = dispatch;
    const compiled = this.#pipelines.get(kernel, dispatch.constants);
    if (this.#dispatches === DISPATCHES_PER_SUBMISSION) this.flush();
    const group = this.#bindGroup(kernel, compiled, dispatch.buffers);
    this.#writeParameters(kernel, compiled, dispatch.parameters);

    const pass = this.#computePass();
    if (this.#passPipeline !== compiled.pipeline) {
      pass.setPipeline(compiled.pipeline);
      this.#passPipeline = compiled.pipeline;
    }
    this.#dynamicOffset[0] = this.#dispatches * PARAMETER_BYTES;
    pass.setBindGroup(0, group, this.#dynamicOffset, 0, 1);
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    this.#dispatches += 1;
    this.#pacer.record(dispatch.work);
    if (this.#pacer.isFull) this.flush();
  }

  #writeParameters(
    kernel: Kernel,
    compiled: CompiledKernel,
    parameters: Readonly<Record<string, number>>,
  ): void {
    const base = this.#dispatches * WORDS;
    for (const { name, word, type } of compiled.fields) {
      const value = parameters[name];
      if (value === undefined) throw new Error(`kernel ${kernel.name}: parameter ${name} is missing`);
      if (type === 'f32') this.#floats[base + word] = value;
      else this.#words[base + word] = value;
    }
  }

  /** The bind group of these buffers: made once, found again by walking one map per binding. */
  #bindGroup(
    kernel: Kernel,
    compiled: CompiledKernel,
    buffers: Readonly<Record<string, DeviceBuffer>>,
  ): GPUBindGroup {
    const { bindings } = kernel;
    const bound: GPUBuffer[] = [];
    for (const { name, access } of bindings) {
      const buffer = buffers[name] as StorageBuffer | undefined;
      if (!buffer) throw new Error(`kernel ${kernel.name}: buffer ${name} is missing`);
      buffer.lastUse = this.#submission;
      const storage = this.#storage(buffer);
      bound.push(
        access === 'read' && this.#isWritten(kernel, buffers, buffer) ? this.#copyOf(buffer) : storage,
      );
    }
    let level = compiled.bindGroups as WeakMap<GPUBuffer, WeakMap<GPUBuffer, unknown>>;
    for (let index = 0; index < bound.length - 1; index++) {
      let next = level.get(bound[index]) as typeof level | undefined;
      if (!next) {
        next = new WeakMap();
        level.set(bound[index], next);
      }
      level = next;
    }
    const last = bound[bound.length - 1];
    const known = level.get(last) as GPUBindGroup | undefined;
    if (known) return known;
    const group = this.#device.createBindGroup({
      label: kernel.name,
      layout: compiled.layout,
      entries: [
        { binding: 0, resource: { buffer: this.#parameters, size: PARAMETER_BYTES } },
        ...bound.map((buffer, index) => ({ binding: index + 1, resource: { buffer } })),
      ],
    });
    (level as unknown as WeakMap<GPUBuffer, GPUBindGroup>).set(last, group);
    return group;
  }

  #isWritten(kernel: Kernel, buffers: Readonly<Record<string, DeviceBuffer>>, buffer: DeviceBuffer): boolean {
    for (const { name, access } of kernel.bindings) {
      if (access === 'write' && buffers[name] === buffer) return true;
    }
    return false;
  }

  /** WebGPU lets no dispatch read a buffer that it writes, not even another part of it: read from a copy. */
  #copyOf(buffer: StorageBuffer): GPUBuffer {
    const source = this.#storage(buffer);
    const target = this.#storage(this.temporary(buffer.type, buffer.length, `copy of ${buffer.label}`));
    this.#endPass();
    this.#commands().copyBufferToBuffer(source, 0, target, 0, buffer.length * 4);
    return target;
  }

  #storage(buffer: StorageBuffer): GPUBuffer {
    if (!buffer.storage) throw new Error(`${buffer.label} was released`);
    return buffer.storage;
  }

  // ---- submissions ---------------------------------------------------------------------------------------------

  /** Submits everything recorded. */
  flush(): void {
    if (this.#encoder) {
      this.#endPass();
      if (this.#dispatches > 0) {
        this.#device.queue.writeBuffer(this.#parameters, 0, this.#words, 0, this.#dispatches * WORDS);
      }
      this.#device.queue.submit([this.#encoder.finish()]);
      this.#encoder = undefined;
      this.#dispatches = 0;
      this.#submission += 1;
      this.#pacer.submitted(this.#device.queue.onSubmittedWorkDone());
      this.#timer.submitted();
    }
    clearTimeout(this.#laterFlush);
    this.#laterFlush = undefined;
    for (const resolve of this.#awaitingSubmission.splice(0)) resolve();
    this.#buffers.destroyCondemned();
  }

  /** Submits what is recorded and waits until it has run. */
  async finish(): Promise<void> {
    this.flush();
    await this.#device.queue.onSubmittedWorkDone();
    await this.#pipelines.settled();
    this.#opened.throwFailure();
  }

  /** Between pieces of work: submits what is worth it, waits while too much is under way. */
  async pace(): Promise<void> {
    this.#opened.throwFailure();
    if (this.#pacer.isStale) this.flush();
    await this.#pacer.wait();
    this.#opened.throwFailure();
  }

  stopwatch(): Stopwatch {
    this.#endPass();
    if (!this.#timer.isAvailable || this.#timer.isCrowded) this.flush();
    const first = this.#timer.start();
    const start = performance.now();
    const stop = async (): Promise<MeasuredTime> => {
      this.#endPass();
      const timestamps = this.#timer.stop(first, this.#commands());
      // Many short spans share a submission. Only wall time cannot wait for one.
      if (this.#timer.isAvailable) await this.#nextSubmission();
      const measured = await timestamps().catch((error: unknown) => this.#explain(error));
      if (measured) {
        await this.#pipelines.settled();
        this.#opened.throwFailure();
        return measured;
      }
      await this.finish();
      return { milliseconds: performance.now() - start, clock: 'wall' };
    };
    return {
      stop() {
        const time = stop();
        // Whoever waits for the time still gets the error; a span that nobody waits for any more is no failure.
        time.catch(() => {});
        return time;
      },
    };
  }

  /** Resolves with the next submission, which is made here if nothing else makes one soon. */
  #nextSubmission(): Promise<void> {
    return new Promise((resolve) => {
      this.#awaitingSubmission.push(resolve);
      this.#laterFlush ??= setTimeout(() => this.flush(), MAX_WAIT_MS);
    });
  }

  destroy(): void {
    clearTimeout(this.#laterFlush);
    this.#encoder = undefined;
    this.#pass = undefined;
    this.#buffers.destroyPool();
    this.#timer.destroy();
    this.#parameters.destroy();
    this.#opened.close();
  }

  #commands(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #computePass(): GPUComputePassEncoder {
    if (!this.#pass) {
      const timestampWrites = this.#timer.nextPass();
      this.#pass = this.#commands().beginComputePass(timestampWrites ? { timestampWrites } : undefined);
      this.#passPipeline = undefined;
    }
    return this.#pass;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}
