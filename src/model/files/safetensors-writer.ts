import { toFloat16 } from '../../base/float16';
import { bytesPerValue } from './tensor-values';

/** A tensor to write: row-major values, as many as the shape says. */
export type TensorToWrite =
  | { dtype: 'F32'; shape: readonly number[]; data: Float32Array }
  /** Rounded to the nearest half, ties to even; beyond ±65,504 it becomes infinite. */
  | { dtype: 'F16'; shape: readonly number[]; data: Float32Array }
  | { dtype: 'I32'; shape: readonly number[]; data: Int32Array };

/**
 * A safetensors file of the tensors, in the order of the record, those of 4 bytes a value first so that every tensor
 * is aligned; metadata is sorted by key. Equal input gives equal bytes. The header is padded with spaces so that the
 * data starts at a multiple of 8.
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const sizeOf = (tensor: TensorToWrite) => bytesPerValue[tensor.dtype];
  const sorted = Object.entries(tensors).sort(([, left], [, right]) => sizeOf(right) - sizeOf(left));
  const header: [string, object][] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0)
    header.push(['__metadata__', Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  let end = 0;
  for (const [name, tensor] of sorted) {
    const values = tensor.shape.reduce((product, size) => product * size, 1);
    if (tensor.data.length !== values) {
      throw new Error(
        `Tensor ${name} of shape [${tensor.shape}] needs ${values} values, not ${tensor.data.length}.`,
      );
    }
    if (name === '__metadata__') throw new Error('No tensor can be called __metadata__.');
    const begin = end;
    end += values * sizeOf(tensor);
    header.push([name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] }]);
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const dataStart = Math.ceil((8 + text.length) / 8) * 8;
  const file = new Uint8Array(dataStart + end).fill(0x20, 8, dataStart);
  new DataView(file.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  file.set(text, 8);
  let at = dataStart;
  for (const [, { dtype, data }] of sorted) {
    const values = dtype === 'F16' ? toFloat16(data) : data;
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}
