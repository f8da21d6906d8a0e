import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { FileBytes } from '../files/file-bytes';
import type { TensorSource } from '../files/tensor-source';
import {
  AS_IS,
  type GgufArchitecture,
  ROPE_FACTORS,
  ROPE_FACTORS_LONG,
  ROPE_FACTORS_SHORT,
  type Stored,
  transformersName,
} from './architecture';
import type { GgufTensor } from './header';
import type { GgufSettings } from './settings';
import { readableTypes } from './value-types';

/** A tensor and the file that it is in. */
export interface PlacedTensor extends GgufTensor {
  readonly file: FileBytes;
}

interface Entry {
  readonly tensor: PlacedTensor;
  readonly stored: Stored;
  readonly shape: readonly number[];
}

/**
 * The weights under transformers' names, as transformers has them. Each is read from its file when it is asked for. UserError where
 * one is of a type that is not read.
 */
export function ggufTensors(
  tensors: ReadonlyMap<string, PlacedTensor>,
  architecture: GgufArchitecture,
  settings: GgufSettings,
): TensorSource {
  const entries = new Map<string, Entry>();
  for (const [own, tensor] of tensors) {
    if (settingsAsTensors.includes(own)) continue;
    const { type, shape } = tensor;
    if (!type.decode)
      throw new UserError(
        `Tensor ${quote(own)} is of type ${type.name}, which is not read; use a file with ${readableTypes}.`,
      );
    const stored = architecture.stored?.(own, settings) ?? AS_IS;
    entries.set(transformersName(architecture, own) ?? own, {
      tensor,
      stored,
      shape: stored.kind === 'transposed' ? shape.toReversed() : shape,
    });
  }
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name);
    if (!entry) throw new UserError(`The model's weights have no tensor ${quote(name)}.`);
    return entry;
  };
  return {
    names: () => [...entries.keys()],
    has: (name) => entries.has(name),
    shape: (name) => entryOf(name).shape,
    type: (name) => entryOf(name).tensor.type.name,
    float32: async (name) => {
      const { tensor, stored } = entryOf(name);
      return asTransformersHas(await readValues(tensor), tensor.shape, stored);
    },
    int32: async (name) => {
      throw new UserError(`Tensor ${quote(name)} of a GGUF file holds no whole numbers.`);
    },
  };
}

/** What openGguf has read as settings. */
const settingsAsTensors: readonly string[] = [ROPE_FACTORS, ROPE_FACTORS_LONG, ROPE_FACTORS_SHORT];

/** The values of a tensor of a type that is read, as the file has them. */
export async function readValues({ file, type, begin, end }: PlacedTensor): Promise<Float32Array> {
  return type.decode!(await file.read(begin, end));
}

function asTransformersHas(values: Float32Array, shape: readonly number[], stored: Stored): Float32Array {
  const rows = shape[0] ?? 1;
  switch (stored.kind) {
    case 'as is':
      return values;
    case 'transposed':
      return transposed(values, rows);
    case 'interleaved halves':
      return halvesApart(values, rows, stored.heads);
    case 'heads apart':
      return headsTogether(values, rows, stored.heads);
    case 'with one':
      return values.map((value) => value - 1);
  }
}

function transposed(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column]!;
  return result;
}

/** Rows 0, 2, 4 … of each head, then 1, 3, 5 …: the converter's LlamaModel.permute backwards. */
function halvesApart(values: Float32Array, rows: number, heads: number): Float32Array {
  const columns = values.length / rows;
  const ofHead = rows / heads;
  if (!Number.isInteger(ofHead / 2)) return values;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const place = row % ofHead;
    const target = row - place + (place % 2) * (ofHead / 2) + (place >> 1);
    result.set(values.subarray(row * columns, (row + 1) * columns), target * columns);
  }
  return result;
}

/** [3, heads, channels of a head, …] to [heads, 3, channels of a head, …]. */
function headsTogether(values: Float32Array, rows: number, heads: number): Float32Array {
  const length = values.length / (3 * heads);
  if (!Number.isInteger(rows / (3 * heads))) return values;
  const result = new Float32Array(values.length);
  for (let part = 0; part < 3; part++)
    for (let head = 0; head < heads; head++) {
      const from = (part * heads + head) * length;
      result.set(values.subarray(from, from + length), (3 * head + part) * length);
    }
  return result;
}
