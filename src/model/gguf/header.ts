import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { FileBytes } from '../files/file-bytes';
import { refusePointer } from '../files/json-file';
import { type GgufValueType, valueTypes } from './value-types';

/** A value of the metadata. Whole numbers of 64 bits are numbers, too, rounded where they do not fit. */
export type GgufValue =
  | number
  | boolean
  | string
  | readonly string[]
  | readonly boolean[]
  | ArrayLike<number>;

export interface GgufTensor {
  readonly type: GgufValueType;
  /** Row-major, slowest axis first, as everywhere here: the file has it the other way round. */
  readonly shape: readonly number[];
  /** Bytes in the file. */
  readonly begin: number;
  readonly end: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** A vocabulary of 262,144 tokens with its merges takes 16 MB. */
const LONGEST_HEADER_BYTES = 128 * 2 ** 20;
/** What is read at first; four times as much each time that it does not do. */
const FIRST_BYTES = 2 ** 20;
const MOST_ENTRIES = 100_000;
const LONGEST_NAME_BYTES = 65_535;
const MOST_AXES = 4;

/**
 * Reads and checks the header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3. After
 * it returns every tensor lies inside the file, has as many bytes as its type and shape say, and shares none with another.
 * Nothing is reserved by a count that the file only claims. UserError, one sentence, for everything else.
 */
export async function readGgufHeader(file: FileBytes, signal?: AbortSignal): Promise<GgufHeader> {
  const most = Math.min(file.size, LONGEST_HEADER_BYTES);
  let bytes = new Uint8Array();
  for (;;) {
    const end = Math.min(most, Math.max(FIRST_BYTES, 4 * bytes.length));
    const more = await file.read(bytes.length, end, signal);
    const longer = new Uint8Array(end);
    longer.set(bytes);
    longer.set(more, bytes.length);
    bytes = longer;
    refusePointer(bytes, file.name);
    try {
      return parseHeader(new HeaderReader(bytes, file.name), file);
    } catch (error) {
      if (!(error instanceof OutOfBytes)) throw error;
      if (end < most && 8 <= end) continue;
      throw new UserError(
        file.size > LONGEST_HEADER_BYTES
          ? `${file.name} has a header of more than ${LONGEST_HEADER_BYTES / 2 ** 20} MiB: it is damaged.`
          : `${file.name} ends inside its header: it is cut off or damaged.`,
      );
    }
  }
}

function parseHeader(reader: HeaderReader, file: FileBytes): GgufHeader {
  const { name } = file;
  if (reader.text(4) !== 'GGUF')
    throw new UserError(`${name} does not begin as GGUF files do: it is another kind of file.`);
  const version = reader.uint32();
  if (version !== 2 && version !== 3) {
    const isSwapped = version > 0xffff;
    throw new UserError(
      isSwapped
        ? `${name} is a GGUF file for big-endian machines, which is not read; convert the model anew.`
        : `${name} is a GGUF file of version ${version}; versions 2 and 3 are read, so convert the model anew.`,
    );
  }
  const tensorCount = reader.count('tensors');
  const metadataCount = reader.count('settings');
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) {
    const key = reader.name();
    if (metadata.has(key)) reader.damaged(`it has ${quote(key)} twice`);
    metadata.set(key, reader.value(key));
  }
  const described = Array.from({ length: tensorCount }, () => reader.tensor());
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || !Number.isInteger(Math.log2(alignment)) || alignment > 2 ** 20)
    return reader.damaged('its general.alignment is no power of two');
  const dataStart = Math.ceil(reader.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const { name: tensor, type, shape, offset } of described) {
    if (tensors.has(tensor)) reader.damaged(`it has tensor ${quote(tensor)} twice`);
    const values = shape.reduce((product, size) => product * size, 1);
    if ((shape.at(-1) ?? 1) % type.blockValues !== 0)
      reader.damaged(`rows of tensor ${quote(tensor)} are no whole blocks of ${type.name}`);
    const begin = dataStart + offset;
    const end = begin + (values / type.blockValues) * type.blockBytes;
    if (offset % alignment !== 0)
      reader.damaged(`tensor ${quote(tensor)} does not lie at a multiple of ${alignment} bytes`);
    if (!Number.isSafeInteger(end) || end > file.size)
      throw new UserError(
        `${name} ends before the values of tensor ${quote(tensor)} do: it is cut off or damaged.`,
      );
    tensors.set(tensor, { type, shape, begin, end });
  }
  checkOverlaps(tensors, reader);
  return { metadata, tensors };
}

function checkOverlaps(tensors: ReadonlyMap<string, GgufTensor>, reader: HeaderReader): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (let i = 1; i < inOrder.length; i++) {
    const [name, { begin }] = inOrder[i]!;
    const [before, { end }] = inOrder[i - 1]!;
    if (begin < end) reader.damaged(`tensors ${quote(before)} and ${quote(name)} share bytes`);
  }
}

/** The bytes at hand end inside the header; more of the file may be there. */
class OutOfBytes extends Error {}

/** Types of metadata by their number: bytes of one value, and how it is read. */
const scalars = {
  0: { bytes: 1, read: (view: DataView, at: number) => view.getUint8(at) },
  1: { bytes: 1, read: (view: DataView, at: number) => view.getInt8(at) },
  2: { bytes: 2, read: (view: DataView, at: number) => view.getUint16(at, true) },
  3: { bytes: 2, read: (view: DataView, at: number) => view.getInt16(at, true) },
  4: { bytes: 4, read: (view: DataView, at: number) => view.getUint32(at, true) },
  5: { bytes: 4, read: (view: DataView, at: number) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view: DataView, at: number) => view.getFloat32(at, true) },
  10: { bytes: 8, read: (view: DataView, at: number) => Number(view.getBigUint64(at, true)) },
  11: { bytes: 8, read: (view: DataView, at: number) => Number(view.getBigInt64(at, true)) },
  12: { bytes: 8, read: (view: DataView, at: number) => view.getFloat64(at, true) },
} as const;
const TRUTH = 7;
const TEXT = 8;
const LIST = 9;

class HeaderReader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  damaged(what: string): never {
    throw new UserError(`${this.#file} is damaged or no GGUF file: ${what}.`);
  }

  /** The place of so many bytes, which are then passed. */
  #take(bytes: number): number {
    const at = this.at;
    if (bytes > this.#bytes.length - at) throw new OutOfBytes();
    this.at += bytes;
    return at;
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A length or an offset. One that no file has room for is no place in this one either. */
  #size(): number {
    const size = this.#view.getBigUint64(this.#take(8), true);
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) this.damaged(`it speaks of ${size} bytes or values`);
    return Number(size);
  }

  count(of: string): number {
    const count = this.#size();
    if (count > MOST_ENTRIES) this.damaged(`it says that it has ${count} ${of}`);
    return count;
  }

  text(bytes = this.#size()): string {
    // Bytes that are there: a length that is only claimed reserves nothing.
    const at = this.#take(bytes);
    return this.#utf8.decode(this.#bytes.subarray(at, at + bytes));
  }

  name(): string {
    const bytes = this.#size();
    if (bytes > LONGEST_NAME_BYTES) this.damaged(`a name in it has ${bytes} bytes`);
    return this.text(bytes);
  }

  value(key: string): GgufValue {
    const type = this.uint32();
    if (type === LIST) return this.#list(key);
    if (type === TEXT) return this.text();
    if (type === TRUTH) return this.#view.getUint8(this.#take(1)) !== 0;
    const scalar = this.#scalar(type, key);
    return scalar.read(this.#view, this.#take(scalar.bytes));
  }

  #scalar(type: number, key: string) {
    return Object.hasOwn(scalars, type)
      ? scalars[type as keyof typeof scalars]
      : this.damaged(`${quote(key)} is of type ${type}, which there is not`);
  }

  #list(key: string): GgufValue {
    const type = this.uint32();
    const length = this.#size();
    if (type === LIST) return this.damaged(`${quote(key)} is a list of lists`);
    if (type === TEXT) {
      const texts: string[] = [];
      for (let i = 0; i < length; i++) texts.push(this.text());
      return texts;
    }
    if (type === TRUTH) {
      const at = this.#take(length);
      return Array.from(this.#bytes.subarray(at, at + length), (byte) => byte !== 0);
    }
    const { bytes, read } = this.#scalar(type, key);
    const at = this.#take(length * bytes);
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = read(this.#view, at + i * bytes);
    return values;
  }

  tensor(): { name: string; type: GgufValueType; shape: number[]; offset: number } {
    const name = this.name();
    const axes = this.uint32();
    if (axes > MOST_AXES) this.damaged(`tensor ${quote(name)} has ${axes} axes`);
    const shape = Array.from({ length: axes }, () => this.#size()).reverse();
    const number = this.uint32();
    const type = valueTypes.get(number);
    const offset = this.#size();
    if (!type)
      throw new UserError(
        `${this.#file}: tensor ${quote(name)} holds values of type ${number}, which is not known.`,
      );
    return { name, type, shape, offset };
  }
}
