/** The assembled kernels, and the memory they work in. */
import { KERNELS } from './kernels';

/** Addresses and strides in bytes; kernels.wat describes each. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  multiply(
    a: number,
    aStride: number,
    tiles: number,
    b: number,
    count: number,
    c: number,
    cStride: number,
    add: number,
  ): void;
  attend(
    query: number,
    channels: number,
    tiles: number,
    limits: number,
    keys: number,
    values: number,
    rowBytes: number,
    state: number,
    out: number,
    scores: number,
  ): void;
  weigh(
    query: number,
    channels: number,
    keys: number,
    limits: number,
    logSumExp: number,
    weights: number,
    stride: number,
  ): void;
  multiplyDoubles(
    a: number,
    aStride: number,
    tiles: number,
    b: number,
    count: number,
    c: number,
    cStride: number,
  ): void;
  largestDouble(x: number, count: number): number;
  raiseDoubles(peaks: number, x: number, count: number, by: number): void;
}

const PAGE_BYTES = 65_536;

export class SimdKernels {
  readonly run: Exports;
  #floats: Float32Array;

  constructor(run: Exports) {
    this.run = run;
    this.#floats = new Float32Array(run.memory.buffer);
  }

  /** The memory as floats, at least `count` of them; earlier results of this method are no longer valid. */
  floats(count: number): Float32Array {
    const missing = 4 * count - this.run.memory.buffer.byteLength;
    if (missing > 0) {
      this.run.memory.grow(Math.ceil(missing / PAGE_BYTES));
      this.#floats = new Float32Array(this.run.memory.buffer);
    }
    return this.#floats;
  }

  /** The same memory in double precision, at least `count` numbers of it. */
  doubles(count: number): Float64Array {
    this.floats(2 * count);
    return new Float64Array(this.run.memory.buffer);
  }
}

/** Compiles the kernels, at once: they are small. Undefined where there is no WebAssembly SIMD. */
export function createSimdKernels(): SimdKernels | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  const bytes = Uint8Array.from(atob(KERNELS), (character) => character.charCodeAt(0));
  if (!WebAssembly.validate(bytes)) return undefined;
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return new SimdKernels(exports as unknown as Exports);
  } catch {
    // A page may forbid compiling.
    return undefined;
  }
}
