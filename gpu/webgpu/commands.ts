import type { Storage } from './buffers';
import { PARAMETER_BYTES } from './pipelines';
import type { PassTimer } from './timing';

/** Slots of one submission: a dispatch takes one for its parameters, written data as many as they fill. */
const SLOTS = 2048;
const SLOT_WORDS = PARAMETER_BYTES / 4;
/** Longer data are written on their own. */
const MOST_STAGED_SLOTS = 64;

/**
 * The commands of one submission after the other: dispatches in as few compute passes as possible, copies between them, and
 * the numbers that both bring along, which reach the device in a single write ahead of the commands.
 */
export class Commands {
  /** Of the slots that the next submission brings along, as integers and as floats. */
  readonly words = new Uint32Array(SLOTS * SLOT_WORDS);
  readonly floats = new Float32Array(this.words.buffer);
  /** All slots on the device. */
  readonly slots: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #timer: PassTimer;
  readonly #dynamicOffset = new Uint32Array(1);
  #usedSlots = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #passPipeline: GPUComputePipeline | undefined;
  #submission = 0;

  constructor(device: GPUDevice, timer: PassTimer) {
    this.#device = device;
    this.#timer = timer;
    this.slots = device.createBuffer({
      label: 'parameters',
      size: this.words.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  /** Number of the submission that is being encoded. */
  get submission(): number {
    return this.#submission;
  }

  get isEmpty(): boolean {
    return this.#encoder === undefined;
  }

  /** Whether another dispatch fits into this submission. */
  get isFull(): boolean {
    return this.#usedSlots === SLOTS;
  }

  /** Where in `words` the parameters of the next dispatch go. */
  get parametersStart(): number {
    return this.#usedSlots * SLOT_WORDS;
  }

  /** Encodes a dispatch, whose parameters stand at `parametersStart`. */
  dispatch(
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    workgroups: readonly [number, number, number],
  ): void {
    const pass = this.#pass ?? this.#beginPass();
    if (this.#passPipeline !== pipeline) {
      pass.setPipeline(pipeline);
      this.#passPipeline = pipeline;
    }
    this.#dynamicOffset[0] = this.#usedSlots * PARAMETER_BYTES;
    pass.setBindGroup(0, group, this.#dynamicOffset, 0, 1);
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    this.#usedSlots += 1;
  }

  /** Encodes that `data` overwrite storage from an offset in elements; false if they are too many for that. */
  stage(data: Float32Array | Uint32Array, storage: Storage, offset: number): boolean {
    const slots = Math.ceil(data.length / SLOT_WORDS);
    if (slots > MOST_STAGED_SLOTS || this.#usedSlots + slots > SLOTS) return false;
    const start = this.#usedSlots * SLOT_WORDS;
    if (data instanceof Float32Array) this.floats.set(data, start);
    else this.words.set(data, start);
    this.copy(this.slots, start * 4, storage.memory, offset * 4, data.length * 4);
    storage.lastUse = this.#submission;
    this.#usedSlots += slots;
    return true;
  }

  copy(
    source: GPUBuffer,
    sourceOffset: number,
    target: GPUBuffer,
    targetOffset: number,
    bytes: number,
  ): void {
    this.endPass();
    this.encoder().copyBufferToBuffer(source, sourceOffset, target, targetOffset, bytes);
  }

  /** Encodes that storage is filled with zeros. */
  clear(storage: Storage): void {
    this.endPass();
    this.encoder().clearBuffer(storage.memory);
    storage.lastUse = this.#submission;
  }

  /** Ends the compute pass, so that something else can be encoded, or a measured span begin or end. */
  endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  encoder(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  /** Submits what is encoded, if anything is. Resolves once it has run. */
  submit(): Promise<void> | undefined {
    if (!this.#encoder) return undefined;
    this.endPass();
    this.#timer.resolve(this.#encoder);
    const { queue } = this.#device;
    if (this.#usedSlots > 0) queue.writeBuffer(this.slots, 0, this.words, 0, this.#usedSlots * SLOT_WORDS);
    queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#usedSlots = 0;
    this.#submission += 1;
    this.#timer.submitted();
    return queue.onSubmittedWorkDone();
  }

  destroy(): void {
    this.#encoder = undefined;
    this.#pass = undefined;
    this.slots.destroy();
  }

  #beginPass(): GPUComputePassEncoder {
    const timestampWrites = this.#timer.nextPass();
    this.#pass = this.encoder().beginComputePass(timestampWrites ? { timestampWrites } : undefined);
    this.#passPipeline = undefined;
    return this.#pass;
  }
}
