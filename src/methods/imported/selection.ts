/** A file of kept keys that another program computed (docs/imported.md): what it holds, checked as far as it can be without a text. */
import { quote } from '../../base/quote';
import { isUserError, UserError } from '../../base/user-error';
import type { SafetensorsFile } from '../../model/files/safetensors';
import { shapeText } from '../../model/files/tensor-source';
import type { QueryBlock } from '../method';

/** Ascending tokens, a row for each set. */
export interface KeptRows {
  /** How many tokens each set lists. */
  readonly counts: readonly number[];
  /** [sets, longest], 0 beyond a row's count. */
  readonly tokens: Uint32Array;
  readonly longest: number;
}

export interface ImportedLayer {
  /** What stays at the eviction; or what each of `blocks` sees before itself, one of a single query in all. */
  readonly kept: readonly KeptRows[];
  /** [sets, length], NaN where nothing was scored; null: the file has none. */
  readonly score: { readonly values: Float32Array; readonly length: number } | null;
  /** Tokens whose fate the scores decided, as the file says or its scores show; null: it does not tell. */
  readonly candidates: { readonly start: number; readonly end: number } | null;
}

/** Plain data: it crosses to the worker as it is. */
export interface ImportedSelection {
  /** The file's, for people. */
  readonly name: string;
  /** Names the file by its content. */
  readonly digest: string;
  /** S: the layers' keys are chosen of the tokens before it, and later ones are all seen. Null: the file does not say, or has `blocks`. */
  readonly evictedAfter: number | null;
  /** Blocks with a choice of their own, without holes; null: one choice, at the eviction. */
  readonly blocks: readonly QueryBlock[] | null;
  /** Tokens of the text that it was made for; null: the file does not say. */
  readonly tokens: number | null;
  /** How many sets every layer has. */
  readonly sets: number;
  readonly layers: ReadonlyMap<number, ImportedLayer>;
}

const MOST_TOKENS = 2 ** 31 - 1;

/** Checks a file as a whole. Throws UserError with one sentence, which names the file. */
export function readImportedSelection(file: SafetensorsFile, name: string): ImportedSelection {
  try {
    return checkedSelection(file, name);
  } catch (error) {
    if (!isUserError(error) || error.message.includes(name)) throw error;
    throw new UserError(`${name}: ${error.message}`);
  }
}

function checkedSelection(file: SafetensorsFile, name: string): ImportedSelection {
  const { metadata } = file;
  const evictedAfter = wholeNumber(metadata.evicted_after, 'evicted_after');
  if (evictedAfter !== null && file.has('blocks')) {
    throw new UserError(
      `The file has blocks, which choose for themselves, and evicted_after, one choice for all: they exclude each other, so leave one out.`,
    );
  }
  const blocks = file.has('blocks') ? readBlocks(file) : null;
  const layers = layersOf(file, blocks !== null);
  if (layers.length === 0) {
    throw new UserError(
      blocks
        ? 'The file has blocks but no kept.0.0, or of any other layer: it lists no keys.'
        : 'The file lists no kept keys: it has no tensor kept.0, or of any other layer.',
    );
  }
  const candidates = readCandidates(metadata.candidates);
  const sets = file.shape(blocks ? `kept.${layers[0]}.0` : `kept.${layers[0]}`)[0] ?? 0;
  const read = layers.map((layer): [number, ImportedLayer] => {
    const rows = (tensor: string, end: number, block: QueryBlock | null): KeptRows =>
      readRows(file, tensor, sets, end, block);
    if (blocks) {
      const kept = blocks.map((block, b) => {
        const tensor = `kept.${layer}.${b}`;
        if (!file.has(tensor))
          throw new UserError(`The file lacks tensor ${tensor}: every layer needs one for each block.`);
        return rows(tensor, block.start, block);
      });
      return [layer, { kept, score: null, candidates: null }];
    }
    const kept = rows(`kept.${layer}`, evictedAfter ?? MOST_TOKENS, null);
    const score = readScore(file, `score.${layer}`, sets, evictedAfter);
    const open = candidates?.get(layer) ?? (score && scoredRange(score, kept));
    if (open && open.end > (evictedAfter ?? MOST_TOKENS)) {
      throw new UserError(
        `The file's candidates of layer ${layer} end at ${open.end}, after the eviction at ${evictedAfter}.`,
      );
    }
    return [layer, { kept: [kept], score, candidates: open }];
  });
  return {
    ...{ name, evictedAfter, blocks, sets, layers: new Map(read), digest: digestOf(file) },
    tokens: wholeNumber(metadata.tokens, 'tokens'),
  };
}

function wholeNumber(text: string | undefined, name: string): number | null {
  if (text === undefined) return null;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= MOST_TOKENS) return value;
  throw new UserError(
    `The file's ${name} ${quote(text, 40)} is not a whole number from 1 to ${MOST_TOKENS}.`,
  );
}

function layersOf(file: SafetensorsFile, isByBlock: boolean): number[] {
  const pattern = isByBlock ? /^kept\.(0|[1-9]\d{0,3})\.0$/ : /^kept\.(0|[1-9]\d{0,3})$/;
  const matches = file.names().map((tensor) => pattern.exec(tensor));
  return matches.flatMap((match) => (match ? [Number(match[1])] : [])).sort((a, b) => a - b);
}

function readBlocks(file: SafetensorsFile): QueryBlock[] {
  const shape = file.shape('blocks');
  if (shape.length !== 2 || shape[1] !== 2 || shape[0] === 0) {
    throw new UserError(`The file's blocks have shape ${shapeText(shape)} instead of [blocks, 2].`);
  }
  const values = file.int32('blocks');
  return Array.from({ length: shape[0]! }, (_, b) => {
    const [start = 0, end = 0] = values.subarray(2 * b, 2 * b + 2);
    const before = b === 0 ? null : values[2 * b - 1]!;
    if (start >= 0 && end > start && (before === null || start === before)) return { start, end };
    throw new UserError(
      `The file's block ${b}, ${start} to ${end}, must hold a token and begin where the one before it ends${before === null ? '' : `, at ${before}`}.`,
    );
  });
}

/**
 * Lists of tokens below `end`, or, of a block, also its own: all of them or none, since a block sees itself; a block of one query
 * sees just what is listed. Throws UserError.
 */
function readRows(
  file: SafetensorsFile,
  tensor: string,
  sets: number,
  end: number,
  block: QueryBlock | null,
): KeptRows {
  const shape = file.shape(tensor);
  if (shape.length !== 2 || shape[0] === 0) {
    throw new UserError(`The file's ${tensor} has shape ${shapeText(shape)} instead of [sets, tokens].`);
  }
  if (shape[0] !== sets) {
    throw new UserError(
      `The file's ${tensor} has ${shape[0]} sets and its first tensor ${sets}; all need as many.`,
    );
  }
  const width = shape[1]!;
  const values = file.int32(tensor);
  const rows = Array.from({ length: sets }, (_, set) => {
    const row = values.subarray(set * width, (set + 1) * width);
    const pads = row.indexOf(-1);
    const listed = pads < 0 ? row : row.subarray(0, pads);
    if (pads >= 0 && row.subarray(pads).some((token) => token !== -1))
      throw new UserError(`The file's ${tensor}, set ${set}, lists tokens after −1, which ends a row.`);
    for (const [i, token] of listed.entries()) {
      if (token < 0 || token >= (block?.end ?? end)) {
        const last = (block?.end ?? end) - 1;
        throw new UserError(
          `The file's ${tensor}, set ${set}, lists token ${token}, which is out of range: tokens go from 0 to ${last}${block ? '' : ', the last before the eviction'}.`,
        );
      }
      const before = i === 0 ? -1 : listed[i - 1]!;
      if (token === before)
        throw new UserError(`The file's ${tensor}, set ${set}, lists token ${token} twice.`);
      if (token < before) {
        throw new UserError(
          `The file's ${tensor}, set ${set}, is not ascending: ${token} stands after ${before}.`,
        );
      }
    }
    if (!block) return listed;
    if (block.end - block.start === 1) {
      if (listed.length > 0) return listed;
      throw new UserError(
        `The file's ${tensor}, set ${set}, lists nothing, and a block of one query sees just what is listed: list its own token.`,
      );
    }
    const own = listed.findIndex((token) => token >= block.start);
    if (own < 0) return listed;
    if (listed.length - own < block.end - block.start) {
      throw new UserError(
        `The file's ${tensor}, set ${set}, lists some tokens of its own block and not others; a block sees itself, so list all of them or none.`,
      );
    }
    return listed.subarray(0, own);
  });
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const tokens = new Uint32Array(sets * longest);
  for (const [set, row] of rows.entries()) tokens.set(row, set * longest);
  return { counts: rows.map((row) => row.length), tokens, longest };
}

function readScore(
  file: SafetensorsFile,
  tensor: string,
  sets: number,
  evictedAfter: number | null,
): ImportedLayer['score'] {
  if (!file.has(tensor)) return null;
  const shape = file.shape(tensor);
  if (shape.length !== 2 || shape[0] !== sets || shape[1]! < (evictedAfter ?? 1)) {
    throw new UserError(
      `The file's ${tensor} has shape ${shapeText(shape)} instead of [${sets}, ${evictedAfter ?? 'tokens'}]: a score of every token for each set of kept keys, NaN where there is none.`,
    );
  }
  const values = file.float32(tensor);
  const at = values.findIndex((score) => score === Infinity || score === -Infinity);
  if (at >= 0) {
    throw new UserError(
      `The file's ${tensor} holds ${values[at]} for token ${at % shape[1]!}; write NaN where nothing was scored.`,
    );
  }
  // A file without a scored key says as little as one without scores.
  return values.every(Number.isNaN) ? null : { values, length: shape[1]! };
}

/**
 * From the first token that was scored to the last, where all others stay: sinks and windows that no score decides about. Null: some
 * of the others were dropped.
 */
function scoredRange(
  { values, length }: NonNullable<ImportedLayer['score']>,
  { counts, tokens, longest }: KeptRows,
): ImportedLayer['candidates'] {
  let start = length;
  let end = 0;
  for (const [at, score] of values.entries()) {
    if (Number.isNaN(score)) continue;
    start = Math.min(start, at % length);
    end = Math.max(end, (at % length) + 1);
  }
  const outside = start + length - end;
  const areKept = counts.every((count, set) => {
    const row = tokens.subarray(set * longest, set * longest + count);
    return row.reduce((kept, token) => kept + (token < start || token >= end ? 1 : 0), 0) === outside;
  });
  return areKept ? { start, end } : null;
}

/** A pair for each layer, as JSON: `{"0": [4, 600]}`. */
function readCandidates(text: string | undefined): ReadonlyMap<number, QueryBlock> | null {
  if (text === undefined) return null;
  const refuse = (): never => {
    throw new UserError(
      `The file's candidates ${quote(text, 40)} are not JSON with a pair of tokens by layer, such as {"0": [4, 600]}.`,
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    refuse();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse();
  const pairs = Object.entries(value).map(([layer, pair]: [string, unknown]): [number, QueryBlock] => {
    const [start, end] = Array.isArray(pair) && pair.length === 2 ? (pair as unknown[]) : refuse();
    const isRight = Number.isSafeInteger(start) && Number.isSafeInteger(end) && /^\d+$/.test(layer);
    if (!isRight || (start as number) < 0 || (end as number) < (start as number)) refuse();
    return [Number(layer), { start: start as number, end: end as number }];
  });
  return new Map(pairs);
}

/** FNV-1a over names and bytes of all tensors and the metadata that counts: 8 hexadecimal digits. */
function digestOf(file: SafetensorsFile): string {
  let hash = 0x811c9dc5;
  const add = (byte: number): void => {
    hash = Math.imul(hash ^ byte, 0x01000193);
  };
  const names = file
    .names()
    .filter((name) => /^(kept|score|blocks)\b/.test(name))
    .sort();
  for (const name of names) {
    const { type, shape } = file.tensor(name);
    for (const byte of new TextEncoder().encode(`${name} ${type} ${shape};`)) add(byte);
    for (const byte of file.tensor(name).bytes()) add(byte);
  }
  const { evicted_after, tokens, candidates } = file.metadata;
  for (const byte of new TextEncoder().encode(JSON.stringify([evicted_after, tokens, candidates]))) add(byte);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
