import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { refusePointer } from './json-file';
import { bytesPerValue, isValueType } from './tensor-values';

/** Where one tensor lies: `begin` and `end` are byte offsets from the end of the header. */
export interface TensorEntry {
  /** One of those that can be read (tensor-values.ts), or the name of another. */
  type: string;
  shape: readonly number[];
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  tensors: Map<string, TensorEntry>;
  metadata: Record<string, string>;
  /** Byte offset of the data in the file. */
  dataStart: number;
  notices: string[];
}

/** The format allows 100 MB; the largest models there are need 2 MB, and this parses within a second. */
const LONGEST_HEADER_BYTES = 32 * 2 ** 20;
const MOST_TENSORS = 100_000;
/** An object of entries, which have lists: JSON that is nested deeper is something else, and slow to parse. */
const DEEPEST = 3;
const MOST_AXES = 32;

/** So many bytes of a file tell how long its header is, and whether it is a pointer to one. */
export const HEADER_START_BYTES = 512;

/**
 * Where a safetensors file's header ends, by its first HEADER_START_BYTES bytes (fewer if it is shorter) and its size in bytes.
 * UserError, one sentence, if it cannot be one.
 */
export function headerEnd(start: Uint8Array, fileBytes: number, file = 'The safetensors file'): number {
  refusePointer(start, file);
  if (fileBytes < 8) throw new UserError(`${file} is ${fileBytes} bytes long, too short for a header.`);
  const declared = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(LONGEST_HEADER_BYTES)) {
    throw new UserError(
      `${file} declares a header of ${declared} bytes, more than 32 MiB: it is damaged or not safetensors.`,
    );
  }
  const end = 8 + Number(declared);
  if (end > fileBytes)
    throw new UserError(`${file} ends inside its header: it is cut off or not safetensors.`);
  return end;
}

/**
 * Reads and checks the header of a safetensors file: 8 bytes of little-endian length, then JSON
 * (https://huggingface.co/docs/safetensors, "Format"). `bytes` begin the file and hold its header (headerEnd), and `fileBytes` is
 * the size of the whole. After it returns, every entry lies inside the file, has as many bytes as its type and shape say, and
 * shares none with another. UserError, one sentence, for everything else.
 */
export function readHeader(
  bytes: Uint8Array,
  file = 'The safetensors file',
  fileBytes = bytes.byteLength,
): SafetensorsHeader {
  const dataStart = headerEnd(bytes, fileBytes, file);
  const object = parseHeader(bytes.subarray(8, dataStart), file);
  const dataBytes = fileBytes - dataStart;
  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(object)) {
    if (name === '__metadata__') metadata = readMetadata(value, file);
    else tensors.set(name, readEntry(name, value, dataBytes, file));
  }
  const unused = dataBytes - checkOverlaps(tensors, file);
  const notices = unused > 0 ? [`${file} has ${unused} bytes that belong to no tensor.`] : [];
  return { tensors, metadata, dataStart, notices };
}

function parseHeader(bytes: Uint8Array, file: string): Record<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (depthOf(text) > DEEPEST) throw new Error('nested too deep');
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${file} has a header that is not JSON: it is damaged or not safetensors.`);
  }
  if (!isObject(value))
    throw new UserError(`${file} has a header that is not a JSON object: it is not safetensors.`);
  const repeated = firstRepeatedKey(text, file);
  if (repeated !== undefined) throw new UserError(`${file} names ${quote(repeated)} twice in its header.`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How deep brackets are nested, strings left out; counted no further than needed to refuse. */
function depthOf(text: string): number {
  let depth = 0;
  let most = 0;
  for (let i = 0; i < text.length && most <= DEEPEST; i++) {
    const character = text[i];
    if (character === '"') {
      i++;
      while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
    } else if (character === '{' || character === '[') most = Math.max(most, ++depth);
    else if (character === '}' || character === ']') depth--;
  }
  return most;
}

/**
 * JSON.parse keeps the last of two equal keys without a word; the format forbids them. `text` is a valid JSON object.
 * A plain scan, as a regular expression would run out of stack on a hostile key of many megabytes.
 */
function firstRepeatedKey(text: string, file: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let expectsKey = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '{' || character === '[') {
      depth++;
      expectsKey = depth === 1;
    } else if (character === '}' || character === ']') depth--;
    else if (character === ',') expectsKey = depth === 1;
    else if (character === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      if (!expectsKey) continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
      if (seen.size > MOST_TENSORS)
        throw new UserError(`${file} names more than ${MOST_TENSORS} tensors: it is damaged or hostile.`);
      expectsKey = false;
    }
  }
  return undefined;
}

function readMetadata(value: unknown, file: string): Record<string, string> {
  if (value === null) return {};
  if (!isObject(value)) throw new UserError(`${file} has __metadata__ that is not an object.`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new UserError(`${file} has metadata ${quote(key)} that is not a string.`);
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown, dataBytes: number, file: string): TensorEntry {
  const tensor = `${file}: tensor ${quote(name)}`;
  if (!isObject(value)) throw new UserError(`${tensor} is not described by an object.`);
  const { dtype, shape, data_offsets: offsets } = value;
  // Types that this program does not know matter only where their values are asked for.
  const isKnown = isValueType(dtype);
  if (!isKnown && (typeof dtype !== 'string' || !/^[A-Z][A-Z0-9_]{0,19}$/.test(dtype))) {
    const found = typeof dtype === 'string' ? quote(dtype, 20) : 'none';
    throw new UserError(`${tensor} needs a known dtype such as "F32", and has ${found}.`);
  }
  if (!Array.isArray(shape) || shape.length > MOST_AXES || !shape.every(isCount)) {
    throw new UserError(`${tensor} has a shape that is not a list of whole numbers.`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw new UserError(`${tensor} has data_offsets that are not two whole numbers.`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw new UserError(
      `${tensor} lies at bytes ${begin} to ${end}, outside the ${dataBytes} bytes of data.`,
    );
  }
  if (!isKnown) return { type: dtype, shape: shape as number[], begin, end };
  const needed = byteLength(shape, bytesPerValue[dtype]);
  if (needed !== end - begin) {
    const size = needed === null ? 'more bytes than any file has' : `${needed} bytes`;
    throw new UserError(`${tensor} needs ${size} by its dtype and shape, but has ${end - begin}.`);
  }
  return { type: dtype, shape: shape as number[], begin, end };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Product of the shape and the value size; null where it is beyond exact integers. */
function byteLength(shape: readonly number[], valueBytes: number): number | null {
  if (shape.includes(0)) return 0;
  let product = valueBytes;
  for (const size of shape) {
    product *= size;
    if (product > Number.MAX_SAFE_INTEGER) return null;
  }
  return product;
}

/** Throws if two tensors share a byte; returns how many bytes belong to tensors. */
function checkOverlaps(tensors: Map<string, TensorEntry>, file: string): number {
  const filled = [...tensors].filter(([, entry]) => entry.end > entry.begin);
  filled.sort(([, left], [, right]) => left.begin - right.begin);
  let used = 0;
  for (const [index, [name, entry]] of filled.entries()) {
    const [nextName, next] = filled[index + 1] ?? [];
    if (next && next.begin < entry.end) {
      throw new UserError(`${file}: tensors ${quote(name)} and ${quote(nextName ?? '')} overlap.`);
    }
    used += entry.end - entry.begin;
  }
  return used;
}
