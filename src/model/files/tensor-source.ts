/** Named tensors of one model, wherever their bytes are: one safetensors file, or several shards. */
export interface TensorSource {
  names(): string[];
  has(name: string): boolean;
  /** The shape of a tensor; UserError if there is none of that name. */
  shape(name: string): readonly number[];
  /** The type that its values are stored in, as its file calls it; UserError if there is none of that name. */
  type(name: string): string;
  /**
   * The values as float32, row-major. May be a view of the file's bytes: do not write to it, and do not transfer its
   * buffer. UserError if there is no such tensor, it holds integers, or its bytes cannot be had.
   */
  float32(name: string): Awaitable<Float32Array>;
  /** The values as int32; UserError if there is no such tensor, or it holds anything else than integers that fit. */
  int32(name: string): Awaitable<Int32Array>;
}

/** What lies in memory is there at once; what is read from a file has to be waited for. */
export type Awaitable<Value> = Value | Promise<Value>;

/** A shape as it is written in messages: [2, 192, 16]. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

export function shapesEqual(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((size, axis) => size === right[axis]);
}
