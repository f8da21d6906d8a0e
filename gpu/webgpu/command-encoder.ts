import { DeviceError } from '../device-error';
import type { MeasuredTime, MemoryLimits, Stopwatch } from '../ops';
import type { DeviceBuffer, ElementType, HalfType } from '../rows';
import { Buffers, type NewStorage, type Storage, type StorageBuffer } from './buffers';
import type { Capabilities } from './capabilities';
import { Commands } from './commands';
import type { OpenedDevice } from './device';
import type { Kernel } from './kernel';
import { Pacer, type Work } from './pacer';
import { type KernelInterface, PARAMETER_BYTES, type ParameterField, Pipelines } from './pipelines';
import { Readbacks } from './readbacks';
import { PassTimer } from './timing';
import type { KernelConstants } from './unroll';
import { WarmUp } from './warm-up';
import type { PipelineName } from './warm-up-list';

type Parameters = Readonly<Partial<Record<string, number>>>;

export interface Dispatch<Binding extends string = string, Parameter extends string = string> {
  readonly kernel: Kernel<Binding, Parameter>;
  readonly constants: KernelConstants;
  /** One buffer per binding of the kernel. */
  readonly buffers: Readonly<Record<NoInfer<Binding>, DeviceBuffer>>;
  /**
   * One number per field of the kernel's `Params`, in one record or in several without a common name: to join them takes longer
   * than to look. Names are those of the shader (gpu/shaders.d.ts).
   */
  readonly parameters:
    | Readonly<Record<NoInfer<Parameter>, number>>
    | readonly Readonly<Partial<Record<NoInfer<Parameter>, number>>>[];
  readonly workgroups: readonly [number, number, number];
  readonly work: Work;
}

/**
 * Collects dispatches into as few compute passes and submissions as possible, in order. Encoding never waits; it submits
 * on its own only when a submission's worth of work has gathered.
 */
export class CommandEncoder {
  /** Bound where a kernel does not use an input. */
  readonly unused: DeviceBuffer;
  readonly unusedIntegers: DeviceBuffer;
  readonly #unusedOutputs: readonly DeviceBuffer[];
  /** What kernels may use of this device. */
  readonly capabilities: Capabilities;
  readonly maxWorkgroupsPerDimension: number;
  /** Compiles ahead of use. */
  readonly warmUp: WarmUp;
  /** Threads that it takes to keep the device busy, in order of magnitude. */
  readonly parallelThreads: number;
  /** A software adapter: threads are loops of a CPU, waiting for each other costs them much. */
  readonly isSoftwareAdapter: boolean;
  readonly #opened: OpenedDevice;
  readonly #device: GPUDevice;
  readonly #buffers: Buffers;
  readonly #pipelines: Pipelines;
  readonly #pacer: Pacer;
  readonly #timer: PassTimer;
  readonly #commands: Commands;
  readonly #readbacks: Readbacks;
  #laterFlush: ReturnType<typeof setTimeout> | undefined;
  readonly #temporaries: StorageBuffer[] = [];

  constructor(opened: OpenedDevice) {
    const { device, capabilities } = opened;
    this.#opened = opened;
    this.#device = device;
    this.capabilities = capabilities;
    this.maxWorkgroupsPerDimension = capabilities.maxWorkgroupsPerDimension;
    this.parallelThreads = capabilities.parallelThreads;
    this.isSoftwareAdapter = capabilities.isFallbackAdapter;
    this.#buffers = new Buffers(device, {
      budgetBytes: capabilities.memoryBytes,
      bufferBytes: capabilities.maxBufferBytes,
      // Attention splits keys until a quarter as many row tiles are there as threads.
      temporaryRows: Math.ceil(capabilities.parallelThreads / 4),
      numbersAtOnce: capabilities.isFallbackAdapter ? 2 ** 19 : 2 ** 21,
    });
    this.#pipelines = new Pipelines(device, opened.failBecause, opened.unrollsLoops);
    this.warmUp = new WarmUp(this.#pipelines, capabilities);
    this.#pacer = new Pacer(capabilities.isFallbackAdapter);
    this.#timer = new PassTimer(device, capabilities.timestampQuery);
    this.#commands = new Commands(device, this.#timer);
    this.#readbacks = new Readbacks(device, this.#commands);
    this.unused = this.allocate('f32', 4, 'unused');
    this.unusedIntegers = this.allocate('u32', 4, 'unused');
    this.#unusedOutputs = [0, 1, 2].map(() => this.allocate('f32', 4, 'unused'));
  }

  // ---- storage -------------------------------------------------------------------------------------------------

  /** New buffer of zeros. */
  allocate(type: ElementType, length: number, label: string): StorageBuffer {
    const { buffer, reused } = this.#create(type, length, label);
    if (reused) this.clear(buffer);
    return buffer;
  }

  /** New buffer with any contents. */
  scratch(type: ElementType, length: number, label: string): StorageBuffer {
    return this.#create(type, length, label).buffer;
  }

  #create(type: ElementType, length: number, label: string, isInTheWay = isAsked): NewStorage {
    this.#opened.throwFailure();
    if (this.#buffers.mustSubmitBefore(type, length, label)) this.flush();
    return this.#buffers.create(type, length, label, isInTheWay);
  }

  /** New buffer with any contents, for one operation: `releaseTemporaries` frees it. */
  temporary(type: ElementType, length: number, label: string): StorageBuffer {
    const { buffer } = this.#buffers.create(type, length, label, isAsked);
    this.#temporaries.push(buffer);
    return buffer;
  }

  releaseTemporaries(): void {
    for (let buffer = this.#temporaries.pop(); buffer; buffer = this.#temporaries.pop()) this.release(buffer);
  }

  /** Bound where a kernel does not use an output: another one for each, as no buffer may be written twice. */
  unusedOutput(index: 0 | 1 | 2): DeviceBuffer {
    return this.#unusedOutputs[index]!;
  }

  /** Fills a buffer with zeros, in order with dispatches. */
  clear(buffer: DeviceBuffer): void {
    const storage = storageOf(buffer);
    if (storage.isAsked) this.#readbacks.copyAsked();
    this.#commands.clear(storage);
  }

  upload(data: Float32Array | Uint32Array, label: string): StorageBuffer {
    return this.#uploadAs(data instanceof Float32Array ? 'f32' : 'u32', data.length, data, label);
  }

  /** Halves, two to a word, the first of them in its lower half. */
  uploadHalves(type: HalfType, bits: Uint16Array, label: string): StorageBuffer {
    const isWhole = bits.length % 2 === 0 && bits.byteOffset % 4 === 0;
    const whole = isWhole ? bits : new Uint16Array(bits.length + (bits.length % 2));
    if (!isWhole) whole.set(bits);
    const words = new Uint32Array(whole.buffer, whole.byteOffset, whole.length / 2);
    return this.#uploadAs(type, bits.length, words, label);
  }

  #uploadAs(
    type: ElementType,
    length: number,
    words: Float32Array | Uint32Array,
    label: string,
  ): StorageBuffer {
    // What encoded work uses cannot be written before that is submitted.
    const { submission } = this.#commands;
    const isUsed = (storage: Storage): boolean => storage.isAsked || storage.lastUse === submission;
    const { buffer } = this.#create(type, length, label, isUsed);
    this.write(buffer, 0, words);
    return buffer;
  }

  /** Overwrites elements after everything encoded so far, before everything encoded later. */
  write(buffer: StorageBuffer, offset: number, data: Float32Array | Uint32Array): void {
    if (data.length === 0) return;
    const storage = storageOf(buffer);
    if (storage.isAsked) this.#readbacks.copyAsked();
    // Short data travel with the submission being encoded.
    if (!this.#commands.isEmpty && this.#commands.stage(data, storage, offset)) return;
    if (storage.lastUse === this.#commands.submission) this.flush();
    this.#device.queue.writeBuffer(storage.memory, offset * 4, data as GPUAllowSharedBufferSource);
  }

  /** Runs what is encoded and copies `length` elements out. */
  async read(buffer: StorageBuffer, offset: number, length: number): Promise<ArrayBuffer> {
    if (length === 0) {
      await this.finish();
      return new ArrayBuffer(0);
    }
    const bytes = length * 4;
    this.#buffers.reserve(bytes, `copy of ${buffer.label}`);
    try {
      const storage = storageOf(buffer);
      const asked = this.#readbacks.ask(storage, offset * 4, bytes).catch(failOfDevice);
      // Whoever waits for it still gets the error.
      asked.catch(() => {});
      storage.lastUse = this.#commands.submission;
      // Reads that are asked for together share a submission, also those between which work is paced.
      await this.#pacer.nextTurn();
      this.flush();
      const data = await asked;
      await this.#pipelines.settled();
      this.#opened.throwFailure();
      return data;
    } catch (error) {
      return await this.#explain(error);
    } finally {
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

  /** Kernels and constants that were dispatched or warmed up, in the order of their first use. */
  pipelinesInUse(): PipelineName[] {
    return this.#pipelines.inUse();
  }

  // ---- dispatches ----------------------------------------------------------------------------------------------

  /** Into how many dispatches work should be cut so that each stays short. */
  partsFor(work: Work): number {
    return this.#pacer.partsFor(work);
  }

  dispatch<Binding extends string, Parameter extends string>(dispatch: Dispatch<Binding, Parameter>): void;
  dispatch({ kernel, constants, buffers, parameters, workgroups, work }: Dispatch): void {
    const shared = this.#pipelines.interfaceOf(kernel);
    const pipeline = this.#pipelines.get(kernel, shared, constants);
    if (this.#commands.isFull) this.flush();
    const group = this.#bindGroup(kernel, shared, buffers);
    this.#writeParameters(kernel, shared, parameters);
    this.#commands.dispatch(pipeline, group, workgroups);
    this.#pacer.add(work);
    if (this.#pacer.isFull) this.flush();
  }

  #writeParameters(
    kernel: Kernel,
    { fields }: KernelInterface,
    parameters: Parameters | readonly Parameters[],
  ): void {
    const { words, floats, parametersStart } = this.#commands;
    const records = isList(parameters) ? parameters : null;
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!;
      const { name, word, type } = field;
      const value = records ? find(records, field) : (parameters as Parameters)[name];
      if (value === undefined) throw new Error(`kernel ${kernel.name}: parameter ${name} is missing`);
      if (type === 'f32') floats[parametersStart + word] = value;
      else words[parametersStart + word] = value;
    }
  }

  #bindGroup(
    kernel: Kernel,
    { layout, bindings, reads, writes, bound, bindGroups }: KernelInterface,
    buffers: Readonly<Record<string, DeviceBuffer>>,
  ): GPUBindGroup {
    const { submission } = this.#commands;
    for (let index = 0; index < bindings.length; index++) {
      const buffer = buffers[bindings[index]!];
      if (!buffer) throw new Error(`kernel ${kernel.name}: buffer ${bindings[index]} is missing`);
      const storage = storageOf(buffer);
      storage.lastUse = submission;
      bound[index] = storage;
    }
    for (const written of writes) {
      if (!bound[written]!.isAsked) continue;
      this.#readbacks.copyAsked();
      break;
    }
    for (const read of reads) {
      for (const written of writes) {
        if (bound[read] !== bound[written]) continue;
        bound[read] = this.#copyOf(buffers[bindings[read]!]!);
        break;
      }
    }
    return bindGroups.get(bound, (storages) =>
      this.#device.createBindGroup({
        label: kernel.name,
        layout,
        entries: [
          { binding: 0, resource: { buffer: this.#commands.slots, size: PARAMETER_BYTES } },
          ...storages.map(({ memory }, index) => ({ binding: index + 1, resource: { buffer: memory } })),
        ],
      }),
    );
  }

  /** WebGPU lets no dispatch read a buffer that it writes, not even another part of it: read from a copy. */
  #copyOf(buffer: DeviceBuffer): Storage {
    const copy = storageOf(this.temporary(buffer.type, buffer.length, `copy of ${buffer.label}`));
    if (copy.isAsked) this.#readbacks.copyAsked();
    this.#commands.copy(storageOf(buffer).memory, 0, copy.memory, 0, buffer.length * 4);
    copy.lastUse = this.#commands.submission;
    return copy;
  }

  // ---- submissions ---------------------------------------------------------------------------------------------

  /** Submits everything encoded. */
  flush(): void {
    this.#readbacks.copyAsked();
    try {
      const done = this.#commands.submit();
      if (done) this.#pacer.submitted(done);
    } finally {
      // Also where a device is gone: who waits has to be told.
      this.#readbacks.submitted();
    }
    clearTimeout(this.#laterFlush);
    this.#laterFlush = undefined;
    this.#buffers.destroyCondemned();
  }

  /** Submits what is encoded and waits until it has run. */
  async finish(): Promise<void> {
    this.flush();
    await this.#device.queue.onSubmittedWorkDone();
    await this.#pipelines.settled();
    this.#opened.throwFailure();
  }

  /** Between pieces of work: submits what is worth it, waits while too much is in flight. */
  async pace(): Promise<void> {
    this.#opened.throwFailure();
    if (this.#pacer.isDue) this.flush();
    await this.#pacer.wait();
    this.#opened.throwFailure();
  }

  /** Measures what is encoded from here on, in passes of its own. */
  stopwatch(): Stopwatch {
    this.#commands.endPass();
    if (!this.#timer.isAvailable || this.#timer.isCrowded) this.flush();
    const span = this.#timer.start();
    const start = performance.now();
    const stop = async (): Promise<MeasuredTime> => {
      this.#commands.endPass();
      const { isSubmitted, time } = this.#timer.stop(span);
      if (!this.#timer.isAvailable) {
        await this.finish();
        return { milliseconds: performance.now() - start, clock: 'wall' };
      }
      // Many short spans share a submission, which is made here if nothing else makes one soon.
      if (!isSubmitted) this.#laterFlush ??= setTimeout(() => this.flush(), this.#pacer.submitAfterMs);
      const measured = await time().catch((error: unknown) => this.#explain(deviceError(error)));
      await this.#pipelines.settled();
      this.#opened.throwFailure();
      return measured;
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

  destroy(): void {
    clearTimeout(this.#laterFlush);
    this.#buffers.destroyPool();
    this.#readbacks.destroy();
    this.#timer.destroy();
    this.#commands.destroy();
    this.#pacer.close();
    this.#opened.close();
  }
}

function isList(parameters: Parameters | readonly Parameters[]): parameters is readonly Parameters[] {
  return Array.isArray(parameters);
}

/** The value in the record that had it the last time, or in another one. */
function find(records: readonly Parameters[], field: ParameterField): number | undefined {
  const known = records[field.record]?.[field.name];
  if (known !== undefined) return known;
  field.record = records.findIndex((record) => record[field.name] !== undefined);
  return records[field.record]?.[field.name];
}

/** It would have to be copied out before it is written: that ends a pass. */
function isAsked(storage: Storage): boolean {
  return storage.isAsked;
}

function storageOf(buffer: DeviceBuffer): Storage {
  const { storage } = buffer as StorageBuffer;
  if (!storage) throw new Error(`${buffer.label} was released`);
  return storage;
}

function deviceError(error: unknown): DeviceError {
  return new DeviceError(error instanceof Error ? error.message : String(error), { cause: error });
}

function failOfDevice(error: unknown): never {
  throw deviceError(error);
}
