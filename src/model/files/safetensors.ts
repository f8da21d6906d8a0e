import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { FileBytes } from './file-bytes';
import {
  HEADER_START_BYTES,
  headerEnd,
  readHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header';
import type { TensorSource } from './tensor-source';
import { toFloat32, toInt32 } from './tensor-values';

/** One tensor of a file. Its bytes are touched only when values are asked for. */
export interface Tensor {
  name: string;
  type: string;
  shape: readonly number[];
  byteLength: number;
  /** A view of the tensor's bytes in the file. */
  bytes(): Uint8Array;
  /** As TensorSource.float32. */
  toFloat32(): Float32Array;
  /** As TensorSource.int32. */
  toInt32(): Int32Array;
}

/**
 * Opens a safetensors file that lies in memory: checks its whole header (see readHeader) and copies nothing.
 * `file` is how error messages name it. Throws UserError with one sentence if the file is not sound.
 */
export function readSafetensors(bytes: Uint8Array | ArrayBuffer, file?: string): SafetensorsFile {
  const array = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  return new SafetensorsFile(array, readHeader(array, file), file ?? 'The safetensors file');
}

/** A safetensors file whose tensors are read one at a time; metadata and notices as SafetensorsFile has them. */
export interface StoredSafetensors extends TensorSource {
  readonly metadata: Readonly<Record<string, string>>;
  readonly notices: readonly string[];
}

/** Opens a safetensors file wherever it lies, as readSafetensors does one in memory; only its header is read. */
export async function openSafetensors(
  file: FileBytes,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<StoredSafetensors> {
  const start = await file.read(0, Math.min(HEADER_START_BYTES, file.size), signal);
  const end = headerEnd(start, file.size, file.name);
  const bytes = end <= start.byteLength ? start : await file.read(0, end, signal);
  const { tensors, metadata, notices, dataStart } = readHeader(bytes, file.name, file.size);
  const entry = (name: string): TensorEntry => {
    const found = tensors.get(name);
    if (!found) throw new UserError(`${file.name} has no tensor ${quote(name)}.`);
    return found;
  };
  const bytesOf = ({ begin, end }: TensorEntry) => file.read(dataStart + begin, dataStart + end, signal);
  return {
    metadata,
    notices,
    names: () => [...tensors.keys()],
    has: (name) => tensors.has(name),
    shape: (name) => entry(name).shape,
    type: (name) => entry(name).type,
    async float32(name) {
      const { type } = entry(name);
      return toFloat32(name, type, await bytesOf(entry(name)));
    },
    async int32(name) {
      const { type } = entry(name);
      return toInt32(name, type, await bytesOf(entry(name)));
    },
  };
}

export class SafetensorsFile implements TensorSource {
  readonly metadata: Readonly<Record<string, string>>;
  /** Oddities that do not keep the file from being read, one sentence each. */
  readonly notices: readonly string[];
  readonly #bytes: Uint8Array;
  readonly #dataStart: number;
  readonly #entries: Map<string, TensorEntry>;
  readonly #file: string;

  constructor(bytes: Uint8Array, header: SafetensorsHeader, file: string) {
    this.#bytes = bytes;
    this.#dataStart = header.dataStart;
    this.#entries = header.tensors;
    this.#file = file;
    this.metadata = header.metadata;
    this.notices = header.notices;
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  tensor(name: string): Tensor {
    const entry = this.#entries.get(name);
    if (!entry) throw new UserError(`${this.#file} has no tensor ${quote(name)}.`);
    const { type, shape, begin, end } = entry;
    const bytes = () => this.#bytes.subarray(this.#dataStart + begin, this.#dataStart + end);
    return {
      name,
      type,
      shape,
      byteLength: end - begin,
      bytes,
      toFloat32: () => toFloat32(name, type, bytes()),
      toInt32: () => toInt32(name, type, bytes()),
    };
  }

  shape(name: string): readonly number[] {
    return this.tensor(name).shape;
  }

  type(name: string): string {
    return this.tensor(name).type;
  }

  float32(name: string): Float32Array {
    return this.tensor(name).toFloat32();
  }

  int32(name: string): Int32Array {
    return this.tensor(name).toInt32();
  }
}
