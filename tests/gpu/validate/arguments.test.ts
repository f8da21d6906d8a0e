/** Wrong arguments of every operation: the message names the operation and the argument. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { headMajorRows, matrixRows } from '../../../gpu/rows';

const ops = createCpuOps();
const floats = (length: number) => ops.allocate('f32', length, 'floats');
const integers = (length: number) => ops.allocate('u32', length, 'integers');
const matrix = (rows: number, channels: number) => matrixRows(floats(rows * channels), rows, channels);
const heads = (h: number, rows: number, channels: number) =>
  headMajorRows(floats(h * rows * channels), h, rows, channels);
const scores = (rows: number, length: number) => ({
  buffer: floats(rows * length),
  offset: 0,
  rows,
  length,
  rowStride: length,
});
const list = (sets: number, count: number) => ({
  buffer: integers(sets * count),
  offset: 0,
  sets,
  count,
  rowStride: count,
});
const scalars = (h: number, rows: number) => ({ buffer: floats(h * rows), offset: 0, headStride: rows });

const gather = { table: matrix(3, 2), indices: integers(4), indexOffset: 0, out: matrix(4, 2) };
const copy = { input: heads(2, 3, 4), out: heads(2, 3, 4) };
const norm = {
  kind: 'rms',
  input: matrix(3, 4),
  weight: floats(4),
  epsilon: 1e-5,
  out: matrix(3, 4),
} as const;
const mm = { input: matrix(2, 3), weight: matrix(4, 3), out: matrix(2, 4) };
const gating = { gate: matrix(2, 3), up: matrix(2, 3), out: matrix(2, 3) };
const table = { cosine: floats(8), sine: floats(8), positions: 4, frequencies: 2, scale: 1 };
const rotation = {
  input: heads(2, 3, 4),
  table,
  positions: { start: 0, step: 1 },
  out: heads(2, 3, 4),
} as const;
const range = { start: 0, end: 5, causal: true };
const attend = {
  query: heads(4, 3, 2),
  key: heads(2, 5, 2),
  value: heads(2, 5, 2),
  scale: 1,
  visible: { range },
  out: heads(4, 3, 2),
};
const part = () => ({ out: heads(2, 3, 2), logSumExp: scalars(2, 3) });
const top = { score: scores(2, 6), count: 3, indexBase: 0, out: list(2, 3) };
const cascading = {
  ...{ tokens: list(2, 3), firstToken: 9, score: scores(2, 5), drops: { buffer: integers(4), offset: 0 } },
  ...{ out: list(2, 4), outScore: scores(2, 4) },
};
const lag = {
  key: heads(2, 9, 3),
  value: heads(2, 9, 3),
  keyFactor: 1,
  valueFactor: 1,
  lagTokens: 3,
  partitions: 2,
  out: scores(2, 6),
};
const weights = {
  query: heads(4, 3, 2),
  key: heads(2, 5, 2),
  scale: 1,
  logSumExp: scalars(4, 3),
  causalOffset: 2,
};
const received = {
  ...{ query: weights.query, key: weights.key, scale: 1, logSumExp: weights.logSumExp },
  ...{ visible: { range: { start: 0, end: 5, causal: true } }, out: scores(2, 5) },
};
const mass = { ...weights, groupOf: integers(20), groupings: 2, sets: 2, groups: 3, out: floats(72) };
const tiles = {
  ...{ query: heads(2, 3, 2), key: heads(1, 5, 2), scale: 1, logSumExp: scalars(2, 3), causalOffset: 2 },
  ...{ tiles: [{ head: 1, row: 0, key: 4 }], width: 2, height: 2, tokensPerPixel: 2, rowStep: 1 },
  ...{ factors: scalars(2, 3), firstKeys: 1, firstFactor: 100, out: floats(12), outOffset: 0 },
};
const peaks = { query: matrix(2, 3), key: matrix(4, 3), out: floats(4), outOffset: 0 };
const ragged = (sets: number, count: number) => ({
  ...{ buffer: integers(sets * (count + 1)), offset: sets, sets, count, rowStride: count, countsOffset: 0 },
});
const together = {
  ...{ score: scores(4, 6), rowsPerGroup: 2, count: 5, floorCount: 1, indexBase: 0, out: ragged(4, 4) },
};
const bounding = { key: heads(2, 5, 3), pageLength: 2, minimum: heads(2, 3, 3), maximum: heads(2, 3, 3) };
const bounded = {
  ...{ query: heads(4, 2, 3), minimum: heads(2, 5, 3), maximum: heads(2, 5, 3), out: scores(8, 5) },
};
const sparse = { query: heads(4, 2, 3), groups: 2, count: 2, out: heads(4, 2, 3) };
const reducing = { kind: 'sum', input: scores(2, 7), segmentLength: 3, out: scores(2, 3) } as const;
const expanding = { input: scores(2, 3), segmentLength: 3, out: scores(2, 7) };
const seenByQuery = { key: heads(2, 6, 3), pageLength: 2, firstTokens: 5 };
const listing = { segments: list(2, 2), segmentLength: 3, indexBase: 1, end: 6, out: ragged(2, 5) };
const aboves = { score: scores(2, 7), threshold: 0.5, out: ragged(2, 7) };
const patterns = {
  ...{ columns: list(2, 3), diagonals: list(2, 3), anchor: 9, firstQuery: 9, queries: 2 },
  out: ragged(4, 6),
};
const mixing = { matrix: heads(1, 3, 5), input: heads(2, 5, 2), out: heads(2, 3, 2) };
const listed = { input: heads(2, 5, 3), list: list(4, 2), out: heads(4, 2, 3) };
const hitting = {
  ...{ query: heads(4, 2, 3), key: heads(2, 7, 3), scale: 1, firstKey: 5, recentCount: 1 },
  ...{ tokens: list(12, 3), received: scores(12, 3), tied: { buffer: integers(12), offset: 0 } },
};
const outlying = { input: heads(2, 5, 3), ridge: 1, weight: scores(4, 5), out: scores(4, 5) };
const pooling = { kind: 'max', input: scores(2, 3), width: 3, out: scores(2, 3) } as const;
const peaksEach = { query: peaks.query, key: peaks.key, firstLength: 3, out: scores(2, 4) };

test('what the cases below are made from is accepted', () => {
  ops.gatherRows(gather);
  ops.copyRows(copy);
  ops.normalize(norm);
  ops.matmul(mm);
  ops.gate(gating);
  ops.activate({ kind: 'silu', ...copy });
  ops.rotate(rotation);
  ops.attention(attend);
  ops.mergeAttention({ into: part(), from: part() });
  ops.argmax({ input: mm.input, out: integers(2), outOffset: 0 });
  ops.sumHeads({ input: heads(4, 3, 2), out: heads(2, 3, 2) });
  ops.esaImportance(peaks);
  ops.esaImportanceByQuery(peaksEach);
  ops.pool(pooling);
  ops.pageBounds(bounding);
  ops.boundScores(bounded);
  ops.boundScores({ ...bounded, byQuery: seenByQuery });
  ops.sparseQueries(sparse);
  ops.segmentReduce(reducing);
  ops.expandSegments(expanding);
  ops.expandList(listing);
  ops.expandList({ ...listing, end: 5, setsPerEnd: 1 });
  ops.listAbove(aboves);
  ops.patternLists(patterns);
  ops.mixRows(mixing);
  ops.gatherListed(listed);
  ops.heavyHitters(hitting);
  ops.cascade(cascading);
  ops.leverage(outlying);
  ops.topK(top);
  ops.topKOfGroups(together);
  ops.lagScores(lag);
  ops.segmentRanks({ input: scores(2, 6), segmentLength: 3, out: scores(2, 6) });
  ops.accumulatedAttention(received);
  ops.accumulatedAttention({ ...received, out: scores(4, 5) });
  ops.massByGroup(mass);
  ops.attentionProbabilities({ ...weights, out: floats(60) });
  ops.attentionTiles(tiles);
});

describe('refused', () => {
  const overlapping = { ...mm.out, rowStride: 3 };
  const wrong: readonly (readonly [() => void, string])[] = [
    [
      () => ops.gatherRows({ ...gather, out: matrix(4, 3) }),
      'gatherRows: table.channels is 2, but must be 3',
    ],
    [() => ops.gatherRows({ ...gather, indexOffset: 1 }), 'gatherRows: indices reaches element 5'],
    [() => ops.gatherRows({ ...gather, indices: floats(4) }), 'gatherRows: indices (floats) holds f32'],
    [() => ops.gatherRows({ ...gather, table: matrix(0, 2) }), 'gatherRows: table has no rows'],
    [() => ops.copyRows({ ...copy, out: heads(2, 3, 5) }), 'copyRows: out.channels is 5, but must be 4'],
    [() => ops.copyRows({ ...copy, out: copy.input }), 'copyRows: out must not overlap input'],
    [
      () => ops.copyRows({ ...copy, input: { ...copy.input, offset: 1 } }),
      'copyRows: input reaches element 25',
    ],
    [() => ops.copyRows({ ...copy, input: { ...copy.input, rows: 1.5 } }), 'copyRows: input.rows is 1.5'],
    [() => ops.normalize({ ...norm, weight: floats(3) }), 'normalize: weight reaches element 4'],
    [() => ops.normalize({ ...norm, bias: floats(3) }), 'normalize: bias reaches element 4'],
    [() => ops.normalize({ ...norm, epsilon: Number.NaN }), 'normalize: epsilon is NaN'],
    [() => ops.matmul({ ...mm, weight: matrix(4, 2) }), 'matmul: weight.channels is 2, but must be 3'],
    [() => ops.matmul({ ...mm, out: matrix(2, 3) }), 'matmul: out.channels is 3, but must be 4'],
    [() => ops.matmul({ ...mm, out: matrix(3, 4) }), 'matmul: out.rows is 3, but must be 2'],
    [() => ops.matmul({ ...mm, input: heads(2, 2, 3) }), 'matmul: out.heads is 1, but must be 2'],
    [
      () => ops.matmul({ ...mm, input: heads(3, 2, 3), weight: heads(2, 4, 3) }),
      'matmul: input has 3 heads, which is no multiple of the 2 of weight',
    ],
    [() => ops.matmul({ ...mm, bias: floats(3) }), 'matmul: bias reaches element 4'],
    [
      () => ops.matmul({ ...mm, out: overlapping }),
      'matmul: out.rowStride is 3, so rows of 4 channels overlap',
    ],
    [
      () => ops.matmul({ ...mm, input: matrix(2, 3), weight: { ...mm.out, channels: 3 }, out: mm.out }),
      'matmul: ',
    ],
    [() => ops.gate({ ...gating, up: matrix(3, 3) }), 'gate: up.rows is 3'],
    [() => ops.activate({ kind: 'silu', input: copy.input, out: matrix(3, 4) }), 'activate: out.heads is 1'],
    [
      () => ops.rotate({ ...rotation, table: { ...table, frequencies: 3 } }),
      'rotate: table.cosine reaches element 12',
    ],
    [() => ops.rotate({ ...rotation, table: { ...table, positions: 2 } }), 'rotate: positions reach 2'],
    [
      () => ops.attention({ ...attend, query: heads(3, 3, 2), out: heads(3, 3, 2) }),
      'attention: query has 3 heads',
    ],
    [() => ops.attention({ ...attend, value: heads(2, 4, 2) }), 'attention: value.rows is 4, but must be 5'],
    [() => ops.attention({ ...attend, out: attend.query }), 'attention: out must not overlap query'],
    [() => ops.attention({ ...attend, scale: Number.POSITIVE_INFINITY }), 'attention: scale is Infinity'],
    [() => ops.attention({ ...attend, softCap: 0 }), 'attention: softCap is 0, but must be above 0'],
    [
      () => ops.attentionProbabilities({ ...weights, softCap: Number.NaN, out: floats(999) }),
      'attentionProbabilities: softCap is NaN',
    ],
    [
      () => ops.activate({ kind: 'soft-cap', input: copy.input, out: copy.input }),
      'activate: softCap is 0, but must be above 0',
    ],
    [() => ops.attention({ ...attend, logSumExp: scalars(3, 3) }), 'attention: logSumExp reaches element 12'],
    [
      () => ops.attention({ ...attend, visible: { range: { start: 2, end: 6, causal: false } } }),
      'attention: visible.range is [2, 6), not within the 5 key rows',
    ],
    [
      () => ops.attention({ ...attend, visible: { range: { ...range, causal: true, window: -1 } } }),
      'attention: visible.range.window is -1',
    ],
    [
      () => ops.attention({ ...attend, visible: { range: { ...range, causal: false, window: 1 } } }),
      'attention: visible.range has a window, but is not causal',
    ],
    [
      () => ops.attention({ ...attend, visible: { range, list: list(3, 1) } }),
      'attention: visible.list has 3 sets',
    ],
    [
      () => ops.attention({ ...attend, visible: { range, list: { ...list(2, 1), countsOffset: 1 } } }),
      'attention: visible.list.counts reaches element 3',
    ],
    [
      () => ops.attention({ ...attend, visible: { range, list: { ...list(2, 1), countsOffset: -1 } } }),
      'attention: the offset of visible.list.counts is -1',
    ],
    [
      () => ops.topK({ ...top, out: { ...top.out, countsOffset: 0 } }),
      'topK: out has lists of different lengths',
    ],
    [
      () => ops.mergeAttention({ into: part(), from: { ...part(), out: heads(2, 2, 2) } }),
      'mergeAttention: from.out.rows is 2, but must be 3',
    ],
    [
      () => ops.argmax({ input: matrix(2, 0), out: integers(2), outOffset: 0 }),
      'argmax: input has no channels',
    ],
    [
      () => ops.argmax({ input: matrix(2, 3), out: integers(2), outOffset: 1 }),
      'argmax: out reaches element 3',
    ],
    [() => ops.sumHeads({ input: heads(3, 3, 2), out: heads(2, 3, 2) }), 'sumHeads: input has 3 heads'],
    [() => ops.esaImportance({ ...peaks, out: floats(3) }), 'esaImportance: out reaches element 4'],
    [
      () => ops.esaImportanceByQuery({ ...peaksEach, out: scores(2, 5) }),
      'esaImportanceByQuery: out.length is 5, but must be 4',
    ],
    [
      () => ops.esaImportanceByQuery({ ...peaksEach, firstLength: 0.5 }),
      'esaImportanceByQuery: firstLength is 0.5',
    ],
    [
      () => ops.topKOfGroups({ ...together, rowsPerGroup: 3 }),
      'topKOfGroups: score has 4 rows, which is no multiple of the 3 of a group',
    ],
    [() => ops.topKOfGroups({ ...together, rowsPerGroup: 0 }), 'topKOfGroups: score has 4 rows'],
    [
      () => ops.topKOfGroups({ ...together, floorCount: 3 }),
      'topKOfGroups: floorCount takes 6 entries of a group, but count is 5',
    ],
    [() => ops.topKOfGroups({ ...together, count: 5.5 }), 'topKOfGroups: count is 5.5'],
    [
      () => ops.topKOfGroups({ ...together, out: ragged(4, 3) }),
      'topKOfGroups: out.count is 3, but a list may have 4',
    ],
    [
      () => ops.topKOfGroups({ ...together, out: ragged(3, 4) }),
      'topKOfGroups: out.sets is 3, but must be 4',
    ],
    [() => ops.topKOfGroups({ ...together, out: list(4, 4) }), 'topKOfGroups: out has no countsOffset'],
    [
      () => ops.topKOfGroups({ ...together, out: { ...together.out, countsOffset: 1 } }),
      'topKOfGroups: out has its counts among its lists',
    ],
    [
      () => ops.topKOfGroups({ ...together, out: { ...together.out, countsOffset: 17 } }),
      'topKOfGroups: out.counts reaches element 21',
    ],
    [
      () => ops.topKOfGroups({ ...together, out: { ...together.out, rowStride: 3 } }),
      'topKOfGroups: out.rowStride is 3, so lists of 4 overlap',
    ],
    [
      () => ops.topKOfGroups({ ...together, secondary: scores(4, 5) }),
      'topKOfGroups: secondary.length is 5, but must be 6',
    ],
    [
      () => ops.topKOfGroups({ ...together, tied: { buffer: integers(2), offset: 1 } }),
      'topKOfGroups: tied reaches element 3',
    ],
    [() => ops.leverage({ ...outlying, ridge: 0 }), 'leverage: ridge is 0, but must be above 0'],
    [() => ops.leverage({ ...outlying, out: scores(4, 6) }), 'leverage: out.length is 6, but must be 5'],
    [() => ops.leverage({ ...outlying, weight: scores(2, 5) }), 'leverage: weight.rows is 2, but must be 4'],
    [
      () => ops.leverage({ ...outlying, weight: undefined, out: scores(3, 5) }),
      'leverage: out has 3 heads, which is no multiple of the 2 of input',
    ],
    [
      () => ops.heavyHitters({ ...hitting, firstKey: 6 }),
      'heavyHitters: key has 7 rows, but the last query is row 7',
    ],
    [
      () => ops.heavyHitters({ ...hitting, tokens: list(8, 3) }),
      'heavyHitters: tokens.sets is 8, but must be 12',
    ],
    [
      () => ops.heavyHitters({ ...hitting, recentCount: 4 }),
      'heavyHitters: recentCount is 4, but only 3 are kept',
    ],
    [() => ops.heavyHitters({ ...hitting, mostProducts: -1 }), 'heavyHitters: mostProducts is -1'],
    [
      () => ops.heavyHitters({ ...hitting, received: scores(12, 2) }),
      'heavyHitters: received.length is 2, but must be 3',
    ],
    [
      () => ops.heavyHitters({ ...hitting, query: heads(3, 2, 3) }),
      'heavyHitters: query has 3 heads, which is no multiple of the 2 of key',
    ],
    [() => ops.cascade({ ...cascading, firstToken: -1 }), 'cascade: firstToken is -1'],
    [() => ops.cascade({ ...cascading, out: list(3, 4) }), 'cascade: out.sets is 3, but must be 2'],
    [
      () => ops.cascade({ ...cascading, tokens: { ...cascading.tokens, countsOffset: 0 } }),
      'cascade: tokens has lists of different lengths',
    ],
    [
      () => ops.cascade({ ...cascading, out: { ...list(2, 4), rowStride: 3 } }),
      'cascade: out.rowStride is 3, so lists of 4 overlap',
    ],
    [() => ops.cascade({ ...cascading, score: scores(3, 5) }), 'cascade: score.rows is 3, but must be 2'],
    [
      () => ops.cascade({ ...cascading, score: scores(2, 2) }),
      'cascade: score.length is 2, but 3 tokens are held',
    ],
    [
      () => ops.cascade({ ...cascading, drops: { buffer: integers(3), offset: 0 } }),
      'cascade: drops reaches element 4',
    ],
    [
      () => ops.cascade({ ...cascading, out: list(2, 6), outScore: scores(2, 6) }),
      'cascade: out.count is 6, but must be from 3 to 5',
    ],
    [
      () => ops.cascade({ ...cascading, outScore: scores(2, 3) }),
      'cascade: outScore.length is 3, but must be 4',
    ],
    [
      () => ops.cascade({ ...cascading, outScore: { ...cascading.score, length: 4 } }),
      'cascade: outScore must not overlap score',
    ],
    [
      () => ops.cascade({ ...cascading, tokens: { ...cascading.out, count: 3 } }),
      'cascade: out must not be in the buffer of tokens or drops',
    ],
    [() => ops.pageBounds({ ...bounding, pageLength: 0 }), 'pageBounds: pageLength is 0'],
    [() => ops.pageBounds({ ...bounding, pageLength: 3 }), 'pageBounds: minimum.rows is 3, but must be 2'],
    [
      () => ops.pageBounds({ ...bounding, maximum: heads(2, 3, 2) }),
      'pageBounds: maximum.channels is 2, but must be 3',
    ],
    [
      () => ops.pageBounds({ ...bounding, maximum: bounding.minimum }),
      'pageBounds: maximum must not be in the buffer of minimum',
    ],
    [
      () => ops.pageBounds({ ...bounding, minimum: { ...bounding.key, rows: 3 } }),
      'pageBounds: minimum must not overlap key',
    ],
    [
      () => ops.boundScores({ ...bounded, query: heads(3, 2, 3) }),
      'boundScores: query has 3 heads, which is no multiple of the 2 of minimum',
    ],
    [
      () => ops.boundScores({ ...bounded, query: heads(4, 2, 4) }),
      'boundScores: minimum.channels is 3, but must be 4',
    ],
    [
      () => ops.boundScores({ ...bounded, maximum: heads(2, 4, 3) }),
      'boundScores: maximum.rows is 4, but must be 5',
    ],
    [() => ops.boundScores({ ...bounded, out: scores(4, 5) }), 'boundScores: out.rows is 4, but must be 8'],
    [
      () => ops.boundScores({ ...bounded, byQuery: { ...seenByQuery, firstTokens: 6 } }),
      'boundScores: key has 6 rows, but the last query sees 7',
    ],
    [
      () => ops.boundScores({ ...bounded, byQuery: { ...seenByQuery, pageLength: 1 } }),
      'boundScores: 5 pages of 1 hold less than the 6 keys of the last query',
    ],
    [
      () => ops.boundScores({ ...bounded, byQuery: { ...seenByQuery, key: heads(1, 6, 3) } }),
      'boundScores: key.heads is 1, but must be 2',
    ],
    [
      () => ops.sparseQueries({ ...sparse, groups: 3 }),
      'sparseQueries: query has 4 heads, which is no multiple of the 3 groups',
    ],
    [() => ops.sparseQueries({ ...sparse, count: -1 }), 'sparseQueries: count is -1'],
    [
      () => ops.sparseQueries({ ...sparse, out: heads(4, 2, 4) }),
      'sparseQueries: out.channels is 4, but must be 3',
    ],
    [() => ops.sparseQueries({ ...sparse, out: sparse.query }), 'sparseQueries: out must not overlap query'],
    [() => ops.segmentReduce({ ...reducing, segmentLength: 0 }), 'segmentReduce: segmentLength is 0'],
    [
      () => ops.segmentReduce({ ...reducing, segmentLength: 4 }),
      'segmentReduce: out.length is 3, but must be 2',
    ],
    [
      () => ops.segmentReduce({ ...reducing, out: { ...reducing.input, length: 3 } }),
      'segmentReduce: out must not overlap input',
    ],
    [() => ops.expandSegments({ ...expanding, segmentLength: 0 }), 'expandSegments: segmentLength is 0'],
    [
      () => ops.expandSegments({ ...expanding, segmentLength: 4 }),
      'expandSegments: input.length is 3, but must be 2',
    ],
    [
      () => ops.expandSegments({ ...expanding, input: { ...expanding.out, length: 3 } }),
      'expandSegments: out must not overlap input',
    ],
    [() => ops.expandList({ ...listing, out: list(2, 5) }), 'expandList: out has no countsOffset'],
    [() => ops.expandList({ ...listing, out: ragged(1, 5) }), 'expandList: out.sets is 1, but must be 2'],
    [() => ops.expandList({ ...listing, end: 7 }), 'expandList: out.count is 5, but a list may have 6'],
    [
      () => ops.expandList({ ...listing, setsPerEnd: 1 }),
      'expandList: out.count is 5, but a list may have 6',
    ],
    [() => ops.expandList({ ...listing, setsPerEnd: 0 }), 'expandList: setsPerEnd is 0'],
    [() => ops.expandList({ ...listing, setsPerEnd: 1.5 }), 'expandList: setsPerEnd is 1.5, but must be'],
    [() => ops.expandList({ ...listing, indexBase: 0.5 }), 'expandList: indexBase is 0.5'],
    [
      () => ops.expandList({ ...listing, segments: { ...listing.out, count: 2 } }),
      'expandList: out must not be in the buffer of segments',
    ],
    [() => ops.listAbove({ ...aboves, out: list(2, 7) }), 'listAbove: out has no countsOffset'],
    [() => ops.listAbove({ ...aboves, out: ragged(3, 7) }), 'listAbove: out.sets is 3, but must be 2'],
    [
      () => ops.listAbove({ ...aboves, out: ragged(2, 6) }),
      'listAbove: out.count is 6, but a list may have 7',
    ],
    [() => ops.listAbove({ ...aboves, threshold: Number.NaN }), 'listAbove: threshold is NaN'],
    [() => ops.patternLists({ ...patterns, out: list(4, 6) }), 'patternLists: out has no countsOffset'],
    [() => ops.patternLists({ ...patterns, queries: 3 }), 'patternLists: out.sets is 4, but must be 6'],
    [() => ops.patternLists({ ...patterns, anchor: -1 }), 'patternLists: anchor is -1'],
    [
      () => ops.patternLists({ ...patterns, diagonals: list(1, 3) }),
      'patternLists: diagonals.sets is 1, but must be 2',
    ],
    [
      () => ops.patternLists({ ...patterns, out: ragged(4, 5) }),
      'patternLists: out.count is 5, but a list may have 6',
    ],
    [
      () => ops.patternLists({ ...patterns, blocks: { list: list(4, 1), tokens: 4 } }),
      'patternLists: blocks.list has 4 sets, but the last query is in row 2 of blocks for 2 heads',
    ],
    [
      () => ops.patternLists({ ...patterns, blocks: { list: list(6, 1), tokens: 0 } }),
      'patternLists: blocks.tokens is 0',
    ],
    [
      () => ops.patternLists({ ...patterns, columns: { ...patterns.out, sets: 2, count: 3 } }),
      'patternLists: out must not be in a buffer of what it is made from',
    ],
    [
      () => ops.mixRows({ ...mixing, matrix: heads(1, 3, 4) }),
      'mixRows: matrix.channels is 4, but must be 5',
    ],
    [
      () => ops.mixRows({ ...mixing, matrix: heads(3, 3, 5) }),
      'mixRows: input has 2 heads, which is no multiple of the 3 of matrix',
    ],
    [() => ops.mixRows({ ...mixing, out: heads(2, 4, 2) }), 'mixRows: out.rows is 4, but must be 3'],
    [
      () => ops.mixRows({ ...mixing, out: { ...mixing.input, rows: 3 } }),
      'mixRows: out must not overlap input',
    ],
    [
      () => ops.gatherListed({ ...listed, out: heads(6, 2, 3) }),
      'gatherListed: out has 6 heads, which is no multiple of the 4 sets of list',
    ],
    [
      () => ops.gatherListed({ ...listed, list: list(1, 2), out: heads(3, 2, 3) }),
      'gatherListed: out has 3 heads, which is no multiple of the 2 of input',
    ],
    [
      () => ops.gatherListed({ ...listed, out: heads(4, 3, 3) }),
      'gatherListed: out.rows is 3, but must be 2',
    ],
    [
      () => ops.gatherListed({ ...listed, input: heads(2, 0, 3) }),
      'gatherListed: input has no rows to read from',
    ],
    [() => ops.pool({ ...pooling, width: -1 }), 'pool: width is -1'],
    [() => ops.pool({ ...pooling, width: 4 }), 'pool: width is 4, but must be odd'],
    [() => ops.pool({ ...pooling, out: scores(2, 4) }), 'pool: out.length is 4, but must be 3'],
    [() => ops.pool({ ...pooling, out: pooling.input }), 'pool: out must not overlap input'],
    [() => ops.pool({ ...pooling, firstLength: -1 }), 'pool: firstLength is -1'],
    [() => ops.topK({ ...top, out: list(2, 2) }), 'topK: out.count is 2, but must be 3'],
    [() => ops.topK({ ...top, out: list(1, 3) }), 'topK: out.sets is 1, but must be 2'],
    [() => ops.topK({ ...top, secondary: scores(2, 5) }), 'topK: secondary.length is 5, but must be 6'],
    [() => ops.topK({ ...top, tied: { buffer: integers(2), offset: 1 } }), 'topK: tied reaches element 3'],
    [
      () => ops.topK({ ...top, counts: { buffer: integers(2), offset: 1 } }),
      'topK: counts reaches element 3',
    ],
    [() => ops.lagScores({ ...lag, partitions: 3, out: scores(2, 9) }), 'lagScores: key has 9 rows'],
    [() => ops.lagScores({ ...lag, value: heads(2, 9, 1) }), 'lagScores: value has 1 channels'],
    [
      () => ops.segmentRanks({ input: scores(1, 6), segmentLength: 4, out: scores(1, 6) }),
      'segmentRanks: input.length',
    ],
    [
      () => ops.accumulatedAttention({ ...received, out: scores(3, 5) }),
      'accumulatedAttention: out.rows is 3',
    ],
    [
      () => ops.accumulatedAttention({ ...received, out: scores(2, 4) }),
      'accumulatedAttention: out.length is 4, but must be 5',
    ],
    [
      () => ops.accumulatedAttention({ ...received, visible: { range: { start: 0, end: 6, causal: true } } }),
      'accumulatedAttention: visible.range is [0, 6), not within the 5 key rows',
    ],
    [
      () => ops.accumulatedAttention({ ...received, visible: { ...received.visible, list: list(3, 1) } }),
      'accumulatedAttention: visible.list has 3 sets',
    ],
    [
      () => ops.accumulatedAttention({ ...received, logSumExp: scalars(3, 3) }),
      'accumulatedAttention: logSumExp reaches element 12',
    ],
    [() => ops.massByGroup({ ...mass, sets: 3 }), 'massByGroup: sets is 3'],
    [() => ops.massByGroup({ ...mass, out: floats(71) }), 'massByGroup: out reaches element 72'],
    [
      () => ops.attentionProbabilities({ ...weights, out: floats(59) }),
      'attentionProbabilities: out reaches element 60',
    ],
    [
      () => ops.attentionProbabilities({ ...weights, causalOffset: 0.5, out: floats(60) }),
      'attentionProbabilities: causalOffset',
    ],
    [
      () => ops.attentionProbabilities({ ...weights, window: 1.5, out: floats(60) }),
      'attentionProbabilities: window is 1.5, but must be an integer ≥ 0',
    ],
    [() => ops.attentionTiles({ ...tiles, firstKeys: -1 }), 'attentionTiles: firstKeys'],
    [() => ops.attentionTiles({ ...tiles, firstFactor: Number.NaN }), 'attentionTiles: firstFactor'],
    [() => ops.attentionTiles({ ...tiles, factors: scalars(1, 3) }), 'attentionTiles: factors'],
    [() => ops.attentionTiles({ ...tiles, rowStep: 0 }), 'attentionTiles: rowStep is 0'],
    [() => ops.attentionTiles({ ...tiles, tokensPerPixel: 3 }), 'attentionTiles: tokensPerPixel is 3'],
    [() => ops.attentionTiles({ ...tiles, rowStep: 4 }), 'attentionTiles: rowStep is 4, but a pixel has'],
    [
      () => ops.attentionTiles({ ...tiles, tiles: [{ head: 2, row: 0, key: 0 }] }),
      'attentionTiles: a tile is of head 2',
    ],
    [
      () => ops.attentionTiles({ ...tiles, tiles: [{ head: 0, row: -1, key: 0 }] }),
      'attentionTiles: tile.row',
    ],
    [() => ops.attentionTiles({ ...tiles, outOffset: 1 }), 'attentionTiles: out'],
  ];
  test.each(wrong.map(([act, message]) => ({ act, message })))('$message', ({ act, message }) => {
    expect(act).toThrow(message);
  });
});
