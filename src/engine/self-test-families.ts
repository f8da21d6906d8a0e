/**
 * The second part of the self-test: every operation that methods, measurements and the map ask for, once, on a few hundred numbers,
 * against the CPU. Runs before a GPU's first measurement: a kernel that computes nothing gives numbers that look like others.
 */
import { createCpuOps } from '../../gpu/cpu';
import type { IndexList, Ops, RowScalars, ScoreRows } from '../../gpu/ops';
import {
  type DeviceBuffer,
  type HalfType,
  headMajorRows,
  matrixRows,
  type Rows,
  sliceRows,
} from '../../gpu/rows';
import { createRandom } from '../tasks/random';

/** Of the largest number of the same result. */
const TOLERANCE = 1e-3;

const QUERY_HEADS = 4;
const KEY_HEADS = 2;
const CHANNELS = 16;
const QUERIES = 40;
const KEYS = 240;
const SCALE = 0.25;
/** Query i sees keys up to i + this. */
const CAUSAL_OFFSET = KEYS - QUERIES;
/** Last keys that a query sees where there is a window. */
const WINDOW = 23;

/** The same numbers for every backend, on one of them. */
class Inputs {
  readonly ops: Ops;
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
  readonly logSumExp: RowScalars;
  readonly #random = createRandom(20_250_221);
  readonly #buffers: DeviceBuffer[] = [];

  constructor(ops: Ops) {
    this.ops = ops;
    this.query = headMajorRows(this.floats(QUERY_HEADS * QUERIES * CHANNELS), QUERY_HEADS, QUERIES, CHANNELS);
    this.key = headMajorRows(this.floats(KEY_HEADS * KEYS * CHANNELS), KEY_HEADS, KEYS, CHANNELS);
    this.value = headMajorRows(this.floats(KEY_HEADS * KEYS * CHANNELS), KEY_HEADS, KEYS, CHANNELS);
    const sums = Float32Array.from({ length: QUERY_HEADS * QUERIES }, () => 5 + this.#uniform());
    this.logSumExp = { buffer: this.#keep(ops.upload(sums, 'sums')), offset: 0, headStride: QUERIES };
  }

  /** Numbers from −1 to 1. */
  floats(length: number): DeviceBuffer {
    const data = Float32Array.from({ length }, () => this.#uniform());
    return this.#keep(this.ops.upload(data, 'self-test'));
  }

  /** Few different numbers, so that many are equal. */
  tied(rows: number, length: number): ScoreRows {
    const data = Float32Array.from({ length: rows * length }, () => this.#random.below(9) - 4);
    return {
      buffer: this.#keep(this.ops.upload(data, 'scores')),
      offset: 0,
      rows,
      length,
      rowStride: length,
    };
  }

  /** Floats of 16 bits of both signs, from about 1/8 to 2. */
  halves(type: HalfType, length: number): DeviceBuffer {
    const [least, count] = type === 'f16' ? [0x3000, 0x1000] : [0x3e00, 0x200];
    const bits = Uint16Array.from(
      { length },
      () => 0x8000 * this.#random.below(2) + least + this.#random.below(count),
    );
    return this.#keep(this.ops.uploadHalves(type, bits, 'halves'));
  }

  integers(length: number, below: number): DeviceBuffer {
    const data = Uint32Array.from({ length }, () => this.#random.below(below));
    return this.#keep(this.ops.upload(data, 'groups'));
  }

  /** For results: numbers that no operation gives, so that what is not written is seen. */
  out(length: number): DeviceBuffer {
    return this.#keep(this.ops.upload(new Float32Array(length).fill(-77), 'result'));
  }

  outIntegers(length: number): DeviceBuffer {
    return this.#keep(this.ops.upload(new Uint32Array(length).fill(77_777), 'result'));
  }

  release(): void {
    this.ops.release(...this.#buffers.splice(0));
  }

  #keep(buffer: DeviceBuffer): DeviceBuffer {
    this.#buffers.push(buffer);
    return buffer;
  }

  #uniform(): number {
    return this.#random.below(2 ** 24) / 2 ** 23 - 1;
  }
}

const weightsOf = ({ query, key, logSumExp }: Inputs, window?: number) => ({
  query,
  key,
  scale: SCALE,
  logSumExp,
  causalOffset: CAUSAL_OFFSET,
  window,
});
const scoreRows = (buffer: DeviceBuffer, rows: number, length: number): ScoreRows => ({
  buffer,
  offset: 0,
  rows,
  length,
  rowStride: length,
});
/** Of the first head alone. */
const firstHead = (rows: Rows): Rows => ({ ...rows, heads: 1 });

function topK(inputs: Inputs, length: number, hasSecondary: boolean): DeviceBuffer[] {
  const rows = 2;
  const count = Math.floor(length / 3);
  const list = { buffer: inputs.outIntegers(rows * count), offset: 0, sets: rows, count, rowStride: count };
  const tied = { buffer: inputs.outIntegers(rows), offset: 0 };
  const score = inputs.tied(rows, length);
  const secondary = hasSecondary ? inputs.tied(rows, length) : undefined;
  inputs.ops.topK({ score, secondary, count, indexBase: 3, out: list, tied });
  return [list.buffer, tied.buffer];
}

/** The best of two rows together, some of each whatever the other has; the rows have gaps between them. */
function topKOfGroups(inputs: Inputs): DeviceBuffer[] {
  const score = { ...inputs.tied(4, KEYS + 1), length: KEYS };
  const sizes = { score, rowsPerGroup: 2, count: 150, floorCount: 20 };
  // What lies beyond the counts is none of the result.
  const lists = inputs.integers(4 * 131, 1);
  const tied = { buffer: inputs.outIntegers(2), offset: 0 };
  const out = { buffer: lists, offset: 4, sets: 4, count: 130, rowStride: 130, countsOffset: 0 };
  inputs.ops.topKOfGroups({ ...sizes, indexBase: 3, out, tied });
  return [lists, tied.buffer];
}

function massByGroup(inputs: Inputs, groups: number, byRow = false, window?: number): DeviceBuffer[] {
  const groupings = 2;
  const sets = KEY_HEADS;
  const groupOf = inputs.integers(groupings * sets * (byRow ? QUERIES : 1) * KEYS, groups);
  const out = inputs.out(groupings * QUERY_HEADS * QUERIES * groups);
  inputs.ops.massByGroup({ ...weightsOf(inputs, window), groupOf, groupings, sets, groups, byRow, out });
  return [out];
}

function tiles(inputs: Inputs, tokensPerPixel: number, window?: number): DeviceBuffer[] {
  const [width, height] = [8, 8];
  const out = inputs.out(2 * 3 * width * height);
  inputs.ops.attentionTiles({
    ...weightsOf(inputs, window),
    tiles: [
      { head: 1, row: 0, key: CAUSAL_OFFSET - 16 },
      { head: 2, row: 8, key: 0 },
    ],
    ...{ width, height, tokensPerPixel, rowStep: 1, out, outOffset: 0 },
    ...{ factors: inputs.logSumExp, firstKeys: 4, firstFactor: 0.5 },
  });
  return [out];
}

/** Attention of one query over the keys, and the merge of two such results over halves of them. */
function oneQuery(inputs: Inputs): DeviceBuffer[] {
  const { ops, value } = inputs;
  const query = sliceRows(inputs.query, 0, 1);
  const part = (start: number, end: number) => {
    const out = headMajorRows(inputs.out(QUERY_HEADS * CHANNELS), QUERY_HEADS, 1, CHANNELS);
    const logSumExp = { buffer: inputs.out(QUERY_HEADS), offset: 0, headStride: 1 };
    const visible = { range: { start, end, causal: false } };
    ops.attention({ query, key: inputs.key, value, scale: SCALE, visible, out, logSumExp });
    return { out, logSumExp };
  };
  const [into, from] = [part(0, KEYS / 2), part(KEYS / 2, KEYS)];
  ops.mergeAttention({ into, from });
  return [into.out.buffer, into.logSumExp.buffer];
}

/** A list of 32 keys at most for every query head. */
function differentLists(ops: Ops): IndexList {
  const sets = QUERY_HEADS;
  const data = Uint32Array.from({ length: 33 * sets }, (_, i) =>
    i < 32 * sets ? 3 * (i % 32) + Math.floor(i / 32) : [32, 0, 7, 19][i % 32]!,
  );
  const buffer = ops.upload(data, 'lists');
  return { buffer, offset: 0, sets, count: 32, rowStride: 32, countsOffset: 32 * sets };
}

/** Attention over a list of keys, or lists of different lengths, and a causal range. */
function listed(inputs: Inputs, areDifferent = false, window?: number): DeviceBuffer[] {
  const { ops, query, key, value } = inputs;
  const chosen = Uint32Array.from({ length: 32 }, (_, i) => 3 * i + 1);
  const list = areDifferent
    ? differentLists(ops)
    : { buffer: ops.upload(chosen, 'list'), offset: 0, sets: 1, count: 32, rowStride: 32 };
  const out = headMajorRows(inputs.out(QUERY_HEADS * QUERIES * CHANNELS), QUERY_HEADS, QUERIES, CHANNELS);
  const visible = { list, range: { start: KEYS - QUERIES - 8, end: KEYS, causal: true, window } };
  ops.attention({ query, key, value, scale: SCALE, visible, out });
  ops.release(list.buffer);
  return [out.buffer];
}

/** A matrix product of one row, and the largest of it. */
function nextToken(inputs: Inputs): DeviceBuffer[] {
  const [depth, columns] = [64, 200];
  const out = inputs.out(columns);
  const logits = matrixRows(out, 1, columns);
  const input = matrixRows(inputs.floats(depth), 1, depth);
  inputs.ops.matmul({
    input,
    weight: matrixRows(inputs.floats(columns * depth), columns, depth),
    out: logits,
  });
  const token = inputs.outIntegers(1);
  inputs.ops.argmax({ input: logits, out: token, outOffset: 0 });
  return [out, token];
}

/** What a model with weights of 16 bits multiplies by and looks up: few rows, many, and rows of a table. */
function storedInHalves(inputs: Inputs, type: HalfType): DeviceBuffer[] {
  const [depth, columns] = [64, 48];
  const weight = matrixRows(inputs.halves(type, columns * depth), columns, depth);
  const products = [1, 24].map((rows) => {
    const out = inputs.out(rows * columns);
    const input = matrixRows(inputs.floats(rows * depth), rows, depth);
    inputs.ops.matmul({ input, weight, out: matrixRows(out, rows, columns) });
    return out;
  });
  const found = inputs.out(5 * depth);
  const indices = inputs.integers(5, columns);
  inputs.ops.gatherRows({ table: weight, indices, indexOffset: 0, out: matrixRows(found, 5, depth) });
  return [...products, found];
}

/** Peaks over queries, and those over none, which are −∞. */
function peaks(inputs: Inputs): DeviceBuffer[] {
  const [query, key] = [firstHead(inputs.query), firstHead(inputs.key)];
  const out = inputs.out(2 * KEYS);
  inputs.ops.esaImportance({ query, key, out, outOffset: 0 });
  inputs.ops.esaImportance({ query: sliceRows(query, 0, 0), key, out, outOffset: KEYS });
  return [out];
}

/** Peaks of queries that each see one key more, the last of them all keys. */
function peaksByQuery(inputs: Inputs): DeviceBuffer[] {
  const [query, key] = [firstHead(inputs.query), firstHead(inputs.key)];
  const out = inputs.out(QUERIES * KEYS);
  const firstLength = KEYS + 1 - QUERIES;
  inputs.ops.esaImportanceByQuery({ query, key, firstLength, out: scoreRows(out, QUERIES, KEYS) });
  return [out];
}

/** Whole rows, then rows of which the second has one entry more, and is whole. */
function pooled(inputs: Inputs, kind: 'mean' | 'max', width: number): DeviceBuffer[] {
  const input = scoreRows(inputs.floats(2 * KEYS), 2, KEYS);
  const [whole, growing] = [inputs.out(2 * KEYS), inputs.out(2 * KEYS)];
  inputs.ops.pool({ kind, input, width, out: scoreRows(whole, 2, KEYS) });
  inputs.ops.pool({ kind, input, width, firstLength: KEYS - 1, out: scoreRows(growing, 2, KEYS) });
  return [whole, growing];
}

function summed(inputs: Inputs, channels: number): DeviceBuffer[] {
  const input = headMajorRows(inputs.floats(4 * 6 * channels), 4, 6, channels);
  const out = inputs.out(2 * 6 * channels);
  inputs.ops.sumHeads({ input, out: headMajorRows(out, 2, 6, channels), factor: 0.5 });
  return [out];
}

function lagged(inputs: Inputs): DeviceBuffer[] {
  const [lagTokens, partitions] = [32, 3];
  const out = inputs.out(KEY_HEADS * lagTokens * partitions);
  const degenerate = inputs.integers(1, 1);
  const { ops, key, value } = inputs;
  ops.lagScores({
    ...{ key, value, keyFactor: 0.5, valueFactor: 0.25, lagTokens, partitions, degenerate },
    out: scoreRows(out, KEY_HEADS, lagTokens * partitions),
  });
  return [out, degenerate];
}

function ranked(inputs: Inputs): DeviceBuffer[] {
  const out = inputs.out(2 * KEYS);
  inputs.ops.segmentRanks({
    input: inputs.tied(2, KEYS),
    segmentLength: 40,
    out: scoreRows(out, 2, KEYS),
  });
  return [out];
}

/** Bounds of pages of keys, the last one short, and what each query could find there. */
function paged(inputs: Inputs): DeviceBuffer[] {
  const { ops, query, key } = inputs;
  const pages = Math.ceil(KEYS / 7);
  const bounds = () => headMajorRows(inputs.out(KEY_HEADS * pages * CHANNELS), KEY_HEADS, pages, CHANNELS);
  const [minimum, maximum] = [bounds(), bounds()];
  ops.pageBounds({ key, pageLength: 7, minimum, maximum });
  const rows = QUERY_HEADS * QUERIES;
  const out = inputs.out(rows * pages);
  ops.boundScores({ query, minimum, maximum, out: scoreRows(out, rows, pages) });
  const growing = inputs.out(rows * pages);
  ops.boundScores({
    ...{ query, minimum, maximum, out: scoreRows(growing, rows, pages) },
    byQuery: { key, pageLength: 7, firstTokens: KEYS - QUERIES + 1 },
  });
  return [minimum.buffer, maximum.buffer, out, growing];
}

/** Queries that keep some channels. */
function sparseQueries(inputs: Inputs): DeviceBuffer[] {
  const { ops, query } = inputs;
  const buffer = inputs.out(QUERY_HEADS * QUERIES * CHANNELS);
  const rows = headMajorRows(buffer, QUERY_HEADS, QUERIES, CHANNELS);
  ops.sparseQueries({ query, groups: KEY_HEADS, count: 5, out: rows });
  return [buffer];
}

/** How far keys stand out of the others, all alike and weighed. */
function outlying(inputs: Inputs): DeviceBuffer[] {
  const { ops, key } = inputs;
  const [alone, weighed] = [inputs.out(KEY_HEADS * KEYS), inputs.out(QUERY_HEADS * KEYS)];
  const ones = ops.upload(new Float32Array(QUERY_HEADS * KEYS).fill(0.5), 'weights');
  ops.leverage({ input: key, ridge: 1, out: scoreRows(alone, KEY_HEADS, KEYS) });
  ops.leverage({
    ...{ input: key, ridge: 1, weight: scoreRows(ones, QUERY_HEADS, KEYS) },
    out: scoreRows(weighed, QUERY_HEADS, KEYS),
  });
  ops.release(ones);
  return [alone, weighed];
}

/** A cache of fixed size, through a few queries. */
function heavyHitters(inputs: Inputs): DeviceBuffer[] {
  const { ops, query, key } = inputs;
  const [count, queries] = [90, 6];
  const sets = QUERY_HEADS * (queries + 1);
  const first = Uint32Array.from({ length: sets * count }, (_, i) => 2 * (i % count));
  const tokens = inputs.outIntegers(sets * count);
  ops.write(tokens, 0, first);
  const received = inputs.floats(sets * count);
  const tied = inputs.outIntegers(sets);
  ops.heavyHitters({
    ...{ query: sliceRows(query, 0, queries), key, scale: SCALE, firstKey: 2 * count, recentCount: 30 },
    tokens: { buffer: tokens, offset: 0, sets, count, rowStride: count },
    received: scoreRows(received, sets, count),
    tied: { buffer: tied, offset: 0 },
  });
  return [tokens, received, tied];
}

/** A cache that takes tokens in and drops one of two neighbours for each, some of them alike. */
function cascading(inputs: Inputs): DeviceBuffer[] {
  const { ops } = inputs;
  const [held, arriving, sets] = [300, 24, 2];
  const places = Array.from({ length: arriving }, (_, i) =>
    i % 4 === 0 ? [0, 0] : [11 * i, 11 * i + (i % 3)],
  );
  const drops = ops.upload(Uint32Array.from(places.flat()), 'places compared');
  const count = held + places.filter(([first, end]) => first === end).length;
  const first = ops.upload(
    Uint32Array.from({ length: sets * held }, (_, i) => 3 * (i % held)),
    'held',
  );
  const tokens = { buffer: first, offset: 0, sets, count: held, rowStride: held };
  const kept = inputs.outIntegers(sets * count);
  const scores = inputs.out(sets * count);
  ops.cascade({
    ...{ tokens, firstToken: 3 * held, drops: { buffer: drops, offset: 0 } },
    score: scoreRows(inputs.floats(sets * (held + arriving)), sets, held + arriving),
    out: { buffer: kept, offset: 0, sets, count, rowStride: count },
    outScore: scoreRows(scores, sets, count),
  });
  ops.release(first, drops);
  return [kept, scores];
}

/** Scores made one for each segment, and back. */
function segmented(inputs: Inputs, kind: 'mean' | 'max', segmentLength: number): DeviceBuffer[] {
  const segments = Math.ceil(KEYS / segmentLength);
  const [reduced, expanded] = [inputs.out(2 * segments), inputs.out(2 * KEYS)];
  const each = scoreRows(reduced, 2, segments);
  const { ops } = inputs;
  ops.segmentReduce({ kind, input: scoreRows(inputs.floats(2 * KEYS), 2, KEYS), segmentLength, out: each });
  ops.expandSegments({ input: each, segmentLength, out: scoreRows(expanded, 2, KEYS) });
  return [reduced, expanded];
}

/** Lists of segments, of which the last is cut, as lists of keys, and the keys that they name. */
function listedSegments(inputs: Inputs): DeviceBuffer[] {
  const { ops, key } = inputs;
  const chosen = Uint32Array.of(0, 3, 11, 2, 7, 19);
  const segments = { buffer: ops.upload(chosen, 'list'), offset: 0, sets: KEY_HEADS, count: 3, rowStride: 3 };
  const lists = inputs.integers(KEY_HEADS * 37, 1);
  const out = { buffer: lists, offset: 2, sets: KEY_HEADS, count: 36, rowStride: 36, countsOffset: 0 };
  ops.expandList({ segments, segmentLength: 12, indexBase: 0, end: KEYS - 4, out });
  const gathered = inputs.out(KEY_HEADS * 36 * CHANNELS);
  ops.gatherListed({ input: key, list: out, out: headMajorRows(gathered, KEY_HEADS, 36, CHANNELS) });
  ops.release(segments.buffer);
  return [lists, gathered];
}

/** Places of two rows that are above a threshold. */
function above(inputs: Inputs): DeviceBuffer[] {
  const lists = inputs.outIntegers(2 * (KEYS + 1));
  const out = { buffer: lists, offset: 2, sets: 2, count: KEYS, rowStride: KEYS, countsOffset: 0 };
  const score = scoreRows(inputs.floats(2 * KEYS), 2, KEYS);
  inputs.ops.listAbove({ score, threshold: 0.2, out });
  return [lists];
}

/** What columns, diagonals and blocks show a few queries. */
function patterns(inputs: Inputs): DeviceBuffer[] {
  const { ops } = inputs;
  const list = (...entries: number[]) => ({
    buffer: ops.upload(Uint32Array.from(entries), 'pattern'),
    ...{ offset: 0, sets: QUERY_HEADS, count: entries.length, rowStride: 0 },
  });
  const [columns, diagonals] = [list(0, 3, 77), list(20, KEYS - 4, KEYS - 1)];
  const blocks = { list: { ...list(0, 2), sets: QUERY_HEADS * Math.ceil(KEYS / 9) }, tokens: 9 };
  const [queries, count] = [20, 24];
  const sets = QUERY_HEADS * queries;
  const lists = inputs.outIntegers(sets * (count + 1));
  const out = { buffer: lists, offset: sets, sets, count, rowStride: count, countsOffset: 0 };
  const places = { anchor: KEYS - 1, firstQuery: KEYS - queries, queries };
  ops.patternLists({ columns, diagonals, blocks, ...places, out });
  ops.release(columns.buffer, diagonals.buffer, blocks.list.buffer);
  return [lists];
}

/** A matrix along the tokens of the keys, and added to what there is. */
function mixed(inputs: Inputs): DeviceBuffer[] {
  const matrix = headMajorRows(inputs.floats(10 * KEYS), 1, 10, KEYS);
  const out = headMajorRows(inputs.floats(KEY_HEADS * 10 * CHANNELS), KEY_HEADS, 10, CHANNELS);
  inputs.ops.mixRows({ matrix, input: inputs.key, out, accumulate: true });
  return [out.buffer];
}

/** What the queries give the keys of a range, or of lists and a range, added to what each head has. */
function received(inputs: Inputs, hasLists = false, window?: number): DeviceBuffer[] {
  const { ops, query, key, logSumExp } = inputs;
  const list = hasLists ? differentLists(ops) : undefined;
  const rows = hasLists ? QUERY_HEADS : KEY_HEADS;
  const out = hasLists ? inputs.floats(rows * KEYS) : inputs.out(rows * KEYS);
  ops.accumulatedAttention({
    ...{ query, key, scale: SCALE, logSumExp },
    visible: { list, range: { start: hasLists ? KEYS - QUERIES - 8 : 0, end: KEYS, causal: true, window } },
    out: scoreRows(out, rows, KEYS),
    accumulate: hasLists,
  });
  if (list) ops.release(list.buffer);
  return [out];
}

function weights(inputs: Inputs, keys: number, window?: number): DeviceBuffer[] {
  const out = inputs.out(QUERY_HEADS * QUERIES * keys);
  inputs.ops.attentionProbabilities({
    ...weightsOf(inputs, window),
    key: sliceRows(inputs.key, 0, keys),
    out,
  });
  return [out];
}

/** Rows rotated to positions that are listed, and rows gathered, copied and repeated. */
function moved(inputs: Inputs): DeviceBuffer[] {
  const { ops } = inputs;
  const frequencies = CHANNELS / 2;
  const table = {
    ...{ cosine: inputs.floats(KEYS * frequencies), sine: inputs.floats(KEYS * frequencies) },
    ...{ positions: KEYS, frequencies, scale: 1 },
  };
  const positions = { indices: inputs.integers(QUERIES, KEYS), offset: 0 };
  const rows = (channels: number) => headMajorRows(inputs.out(QUERIES * channels), 1, QUERIES, channels);
  const [rotated, gathered, copied] = [rows(CHANNELS), rows(CHANNELS), rows(CHANNELS)];
  ops.rotate({ input: firstHead(inputs.query), table, positions, out: rotated });
  const indices = inputs.integers(QUERIES, KEYS);
  ops.gatherRows({ table: firstHead(inputs.key), indices, indexOffset: 0, out: gathered });
  ops.copyRows({ input: firstHead(inputs.query), out: copied });
  // One row for several, of a width that is none of vectors.
  const repeated = rows(CHANNELS - 1);
  const { buffer, offset } = inputs.query;
  ops.copyRows({ input: { ...repeated, buffer, offset, rowStride: 0 }, out: repeated });
  return [rotated.buffer, gathered.buffer, copied.buffer, repeated.buffer];
}

const families: Readonly<Record<string, (inputs: Inputs) => DeviceBuffer[]>> = {
  'one query': oneQuery,
  'selected keys': (inputs) => listed(inputs),
  'lists of different lengths': (inputs) => listed(inputs, true),
  'the next token': nextToken,
  'weights in F16': (inputs) => storedInHalves(inputs, 'f16'),
  'weights in BF16': (inputs) => storedInHalves(inputs, 'bf16'),
  'moved rows': moved,
  scores: peaks,
  'scores by query': peaksByQuery,
  'pooled maxima': (inputs) => pooled(inputs, 'max', 7),
  'pooled maxima of wide windows': (inputs) => pooled(inputs, 'max', 41),
  'pooled means': (inputs) => pooled(inputs, 'mean', 5),
  'top-k': (inputs) => topK(inputs, KEYS, false),
  'top-k with a second score': (inputs) => topK(inputs, 40, true),
  'top-k of rows together': topKOfGroups,
  'sums of heads': (inputs) => summed(inputs, CHANNELS),
  'sums of odd heads': (inputs) => summed(inputs, 5),
  'lag scores': lagged,
  ranks: ranked,
  'bounds of pages': paged,
  'largest channels': sparseQueries,
  'a cache of heavy hitters': heavyHitters,
  'a cache of sub-caches': cascading,
  leverage: outlying,
  'means of segments': (inputs) => segmented(inputs, 'mean', 16),
  'largest of long segments': (inputs) => segmented(inputs, 'max', 100),
  'lists of segments': listedSegments,
  'scores above a threshold': above,
  'columns, diagonals and blocks': patterns,
  'mixed rows': mixed,
  'attention received': (inputs) => received(inputs),
  'attention received by listed keys': (inputs) => received(inputs, true),
  'mass by group': (inputs) => massByGroup(inputs, 2),
  'mass by many groups': (inputs) => massByGroup(inputs, 24),
  'mass by groups of each query': (inputs) => massByGroup(inputs, 5, true),
  'attention weights': (inputs) => weights(inputs, KEYS),
  'attention weights of an odd number of keys': (inputs) => weights(inputs, KEYS - 3),
  'selected keys and a window': (inputs) => listed(inputs, false, WINDOW),
  'attention received from a window': (inputs) => received(inputs, false, WINDOW),
  'attention received by listed keys and from a window': (inputs) => received(inputs, true, WINDOW),
  'mass by group in a window': (inputs) => massByGroup(inputs, 2, false, WINDOW),
  'mass by many groups in a window': (inputs) => massByGroup(inputs, 24, false, WINDOW),
  'attention probabilities in a window': (inputs) => weights(inputs, KEYS, WINDOW),
  'the map of a window': (inputs) => tiles(inputs, 4, WINDOW),
  'the map': (inputs) => tiles(inputs, 4),
  'the map from near': (inputs) => tiles(inputs, 1),
};

type Result = Float32Array | Uint32Array;

async function run(ops: Ops): Promise<Map<string, Result[]>> {
  const inputs = new Inputs(ops);
  try {
    const buffers = Object.entries(families).map(([name, record]) => ({ name, outs: record(inputs) }));
    // Asked for together, they share a submission.
    const results = await Promise.all(
      buffers.map(({ outs }) =>
        Promise.all(
          outs.map(
            (out): Promise<Result> => (out.type === 'f32' ? ops.readFloats(out) : ops.readIntegers(out)),
          ),
        ),
      ),
    );
    return new Map(buffers.map(({ name }, i) => [name, results[i]!]));
  } finally {
    inputs.release();
  }
}

/** Null when the device gives what the CPU does; otherwise a clause that names what differs first. */
export async function selfTestFamilies(ops: Ops): Promise<string | null> {
  await Promise.all([ops.warmUp('measuring'), ops.warmUp('study')]);
  const cpu = createCpuOps({ simd: false });
  try {
    const [expected, actual] = [await run(cpu), await run(ops)];
    for (const [name, right] of expected) {
      const found = actual.get(name)!;
      if (!right.every((values, i) => isEqual(values, found[i]!))) {
        return `its results for ${name} differ from the CPU's`;
      }
    }
    return null;
  } finally {
    cpu.destroy();
  }
}

function isEqual(expected: Result, actual: Result): boolean {
  if (expected instanceof Uint32Array) return expected.every((value, i) => value === actual[i]);
  const largest = expected.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 0);
  return expected.every((value, i) =>
    Number.isFinite(value) ? Math.abs(value - actual[i]!) <= TOLERANCE * largest : value === actual[i],
  );
}
