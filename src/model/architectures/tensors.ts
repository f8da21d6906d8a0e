import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { finiteWeights } from '../files/finite-weights';
import { shapesEqual, shapeText, type TensorSource } from '../files/tensor-source';
import type { LinearWeights, NormWeights } from './decoder-weights';

/** How a part of the weights is read, when it is wanted. */
export type Reader<Part> = () => Promise<Part>;

/** Checks now that a tensor is there and has the shape; returns how to read it later, which checks that its values are finite. */
export function checked(source: TensorSource, name: string, shape: readonly number[]): Reader<Float32Array> {
  if (!source.has(name)) {
    throw new UserError(`The model's weights lack tensor ${quote(name)}; its config.json calls for it.`);
  }
  const found = source.shape(name);
  if (!shapesEqual(found, shape)) {
    throw new UserError(
      `Tensor ${quote(name)} has shape ${shapeText(found)}, but config.json calls for ${shapeText(shape)}.`,
    );
  }
  return async () => finiteWeights(name, shape, await source.float32(name));
}

/** NAME.weight [outputs, inputs] and, if asked for, NAME.bias [outputs]. */
export function linear(
  source: TensorSource,
  name: string,
  outputs: number,
  inputs: number,
  hasBias: boolean,
): Reader<LinearWeights> {
  const weight = checked(source, `${name}.weight`, [outputs, inputs]);
  const bias = hasBias ? checked(source, `${name}.bias`, [outputs]) : null;
  return async () => ({ weight: await weight(), bias: (await bias?.()) ?? null, outputs, inputs });
}

/** NAME.weight [size] and, if asked for, NAME.bias [size]. */
export function norm(
  source: TensorSource,
  name: string,
  size: number,
  hasBias: boolean,
): Reader<NormWeights> {
  const weight = checked(source, `${name}.weight`, [size]);
  const bias = hasBias ? checked(source, `${name}.bias`, [size]) : null;
  return async () => ({ weight: await weight(), bias: (await bias?.()) ?? null });
}

/** Reads once and keeps the array: for the embedding, so that a tied head is the same array. */
export function kept(read: Reader<Float32Array>): Reader<Float32Array> {
  let values: Promise<Float32Array> | undefined;
  return () => {
    values ??= read();
    return values;
  };
}

/** The prefix under which the names are stored: saved with a head they have one, saved without they do not. */
export function prefixOf(source: TensorSource, prefix: string, name: string): string {
  return !source.has(prefix + name) && source.has(name) ? '' : prefix;
}

/** One reader for a record from a reader for each of its parts. */
export function together<Parts>(readers: { [Name in keyof Parts]: Reader<Parts[Name]> }): Reader<Parts> {
  const entries = Object.entries(readers) as [string, Reader<unknown>][];
  return async () => {
    const parts: [string, unknown][] = [];
    // One after the other: a file larger than memory is never asked for all of them.
    for (const [name, read] of entries) parts.push([name, await read()]);
    return Object.fromEntries(parts) as Parts;
  };
}

/** Outputs [first, first + count) of a linear map, as views. */
export function rowsOf(map: LinearWeights, first: number, count: number): LinearWeights {
  return {
    weight: map.weight.subarray(first * map.inputs, (first + count) * map.inputs),
    bias: map.bias?.subarray(first, first + count) ?? null,
    outputs: count,
    inputs: map.inputs,
  };
}

/** [rows, columns] to [columns, rows]. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column]!;
  }
  return result;
}
