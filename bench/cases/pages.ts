import type { Ops, ScoreRows } from '../../gpu/ops';
import { type DeviceBuffer, headMajorRows, type Rows, tokenMajorRows } from '../../gpu/rows';
import { floats, type KernelCase, type Sizes } from './case';

const PAGE = 16;

const scores = (ops: Ops, rows: number, length: number, seed?: number): ScoreRows => ({
  buffer: seed === undefined ? ops.allocate('f32', rows * length, 'out') : floats(ops, rows * length, seed),
  ...{ offset: 0, rows, length, rowStride: length },
});
const rowsOut = (ops: Ops, heads: number, rows: number, channels: number): Rows =>
  headMajorRows(ops.allocate('f32', heads * rows * channels, 'out'), heads, rows, channels);

/** Every fourth of `candidates`, one list for each KV head. */
function lists(ops: Ops, { groups }: Sizes, candidates: number) {
  const count = Math.floor(candidates / 4);
  const data = Uint32Array.from({ length: groups * count }, (_, i) => 4 * (i % count) + (i % 3));
  return { buffer: ops.upload(data, 'lists'), offset: 0, sets: groups, count, rowStride: count };
}

function boundScoresCase(name: string, queriesOf: (sizes: Sizes) => number): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const { keys, heads, groups, channels } = sizes;
      const [queries, pages] = [queriesOf(sizes), Math.ceil(keys / PAGE)];
      const query = tokenMajorRows(floats(ops, heads * queries * channels, 1), heads, queries, channels);
      // As bounds these are wrong half the time, but no slower.
      const [minimum, maximum] = [2, 3].map((seed) =>
        headMajorRows(floats(ops, groups * pages * channels, seed), groups, pages, channels),
      );
      const out = scores(ops, heads * queries, pages);
      return {
        size: `${heads} heads, ${queries} × ${pages} pages, d ${channels}`,
        flops: 2 * heads * queries * pages * channels,
        bytes: 4 * (heads * queries * (channels + pages) + 2 * groups * pages * channels),
        out: out.buffer,
        encode: () => ops.boundScores({ query, minimum: minimum!, maximum: maximum!, out }),
      };
    },
  };
}

/** What methods of pages, chunks and mixtures are made of. */
export const pageCases: readonly KernelCase[] = [
  {
    name: 'pageBounds',
    tolerance: 0,
    prepare(ops, { keys, groups, channels }) {
      const key = headMajorRows(floats(ops, groups * keys * channels, 1), groups, keys, channels);
      const pages = Math.ceil(keys / PAGE);
      const minimum = rowsOut(ops, groups, pages, channels);
      const maximum = rowsOut(ops, groups, pages, channels);
      return {
        size: `${groups} heads, ${keys} in pages of ${PAGE}, d ${channels}`,
        flops: 2 * groups * keys * channels,
        bytes: 4 * groups * channels * (keys + 2 * pages),
        out: minimum.buffer,
        encode: () => ops.pageBounds({ key, pageLength: PAGE, minimum, maximum }),
      };
    },
  },
  boundScoresCase('boundScores', ({ rows }) => rows),
  boundScoresCase('boundScores, one query', () => 1),
  {
    name: 'sparseQueries',
    tolerance: 1e-5,
    prepare(ops, { rows, heads, groups, channels }) {
      const query = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
      const out = rowsOut(ops, heads, rows, channels);
      const count = Math.ceil(channels / 4);
      return {
        size: `${heads} heads, ${rows} rows, ${count} of ${channels} channels`,
        flops: 6 * heads * rows * channels,
        bytes: 8 * heads * rows * channels,
        out: out.buffer,
        encode: () => ops.sparseQueries({ query, groups, count, out }),
      };
    },
  },
  {
    name: 'segmentReduce',
    tolerance: 1e-5,
    prepare(ops, { keys, heads }) {
      const input = scores(ops, heads, keys, 1);
      const out = scores(ops, heads, Math.ceil(keys / PAGE));
      return {
        size: `${heads} × ${keys} in segments of ${PAGE}`,
        flops: heads * keys,
        bytes: 4 * heads * (keys + out.length),
        out: out.buffer,
        encode: () => ops.segmentReduce({ kind: 'mean', input, segmentLength: PAGE, out }),
      };
    },
  },
  {
    name: 'expandSegments',
    tolerance: 0,
    prepare(ops, { keys, heads }) {
      const out = scores(ops, heads, keys);
      const input = scores(ops, heads, Math.ceil(keys / PAGE), 1);
      return {
        size: `${heads} × ${keys} of segments of ${PAGE}`,
        flops: 0,
        bytes: 4 * heads * (keys + input.length),
        out: out.buffer,
        encode: () => ops.expandSegments({ input, segmentLength: PAGE, out }),
      };
    },
  },
  {
    name: 'expandList',
    tolerance: 0,
    prepare(ops, sizes) {
      const { keys, groups } = sizes;
      const segments = lists(ops, sizes, Math.ceil(keys / PAGE));
      const count = segments.count * PAGE;
      const buffer = ops.allocate('u32', groups * (1 + count), 'lists');
      const out = { buffer, offset: groups, sets: groups, count, rowStride: count, countsOffset: 0 };
      return {
        size: `${groups} × ${segments.count} pages of ${PAGE}`,
        flops: 0,
        bytes: 4 * groups * (count + segments.count),
        out: buffer,
        encode: () => ops.expandList({ segments, segmentLength: PAGE, indexBase: 0, end: keys, out }),
      };
    },
  },
  {
    name: 'listAbove',
    tolerance: 0,
    prepare(ops, { keys, heads }) {
      const buffer = ops.allocate('u32', heads * (1 + keys), 'lists');
      const out = { buffer, offset: heads, sets: heads, count: keys, rowStride: keys, countsOffset: 0 };
      const score = scores(ops, heads, keys, 1);
      return {
        size: `${heads} × ${keys}`,
        flops: 0,
        bytes: 4 * heads * keys,
        out: buffer,
        encode: () => ops.listAbove({ score, threshold: 0.5, out }),
      };
    },
  },
  {
    name: 'patternLists',
    tolerance: 0,
    prepare(ops, sizes) {
      const { keys, groups } = sizes;
      const [columns, diagonals] = [lists(ops, sizes, PAGE), lists(ops, sizes, 4 * PAGE)];
      const queries = 64;
      const count = columns.count + diagonals.count;
      const sets = groups * queries;
      const buffer = ops.allocate('u32', sets * (1 + count), 'lists');
      const out = { buffer, offset: sets, sets, count, rowStride: count, countsOffset: 0 };
      const places = { anchor: keys - 1, firstQuery: keys - queries, queries };
      return {
        size: `${sets} × ${columns.count} columns, ${diagonals.count} diagonals of ${keys} keys`,
        flops: 0,
        bytes: 8 * sets * count,
        out: buffer,
        encode: () => ops.patternLists({ columns, diagonals, ...places, out }),
      };
    },
  },
  {
    name: 'leverage',
    tolerance: 1e-3,
    prepare(ops, { keys, groups, channels }) {
      const input = headMajorRows(floats(ops, groups * keys * channels, 1), groups, keys, channels);
      const out = scores(ops, groups, keys);
      return {
        size: `${groups} heads, ${keys} rows, d ${channels}`,
        flops: groups * channels * channels * (2.5 * keys + channels),
        bytes: 8 * groups * keys * channels,
        out: out.buffer,
        encode: () => ops.leverage({ input, ridge: 1, out }),
      };
    },
  },
  {
    name: 'heavyHitters',
    tolerance: 1e-4,
    prepare(ops, { keys, rows, heads, groups, channels }) {
      const count = Math.floor(keys / 8);
      const queries = Math.min(rows, keys - 2 * count);
      const sets = heads * (queries + 1);
      const first = Uint32Array.from({ length: sets * count }, (_, i) => 2 * (i % count));
      const tokens = { buffer: ops.upload(first, 'lists'), offset: 0, sets, count, rowStride: count };
      const received = scores(ops, sets, count);
      const query = headMajorRows(floats(ops, heads * queries * channels, 1), heads, queries, channels);
      const key = headMajorRows(floats(ops, groups * keys * channels, 2), groups, keys, channels);
      const tied = { buffer: ops.allocate('u32', sets, 'tied'), offset: 0 };
      const cache = { firstKey: 2 * count, recentCount: Math.floor(count / 2), tokens, received, tied };
      return {
        size: `${heads} heads, ${queries} in turn, ${count} of ${keys}, d ${channels}`,
        flops: 2 * heads * queries * count * channels,
        bytes: 4 * heads * queries * count * (channels + 6),
        out: received.buffer,
        encode: () => ops.heavyHitters({ query, key, scale: 1 / Math.sqrt(channels), ...cache }),
      };
    },
  },
  {
    name: 'cascade',
    tolerance: 0,
    prepare(ops, { keys, rows, groups }) {
      // Half of what comes is compared at the end of the first of four sub-caches, and so on.
      const held = Math.floor(keys / 4);
      const places = Array.from(
        { length: rows },
        (_, i) => held - (held / 4) * (1 + (Math.log2((i + 1) & -(i + 1)) % 4)),
      );
      const drops = ops.upload(Uint32Array.from(places.flatMap((place) => [place, place + 2])), 'places');
      const first = Uint32Array.from({ length: groups * held }, (_, i) => 2 * (i % held));
      const list = (buffer: DeviceBuffer) => ({
        buffer,
        offset: 0,
        sets: groups,
        count: held,
        rowStride: held,
      });
      const out = scores(ops, groups, held);
      const cache = {
        ...{ tokens: list(ops.upload(first, 'held')), firstToken: 2 * held, outScore: out },
        ...{ score: scores(ops, groups, held + rows, 1), drops: { buffer: drops, offset: 0 } },
        out: list(ops.allocate('u32', groups * held, 'kept')),
      };
      return {
        size: `${groups} heads, ${rows} in turn, ${held} held`,
        flops: groups * rows,
        bytes: 8 * groups * (rows + held),
        out: out.buffer,
        encode: () => ops.cascade(cache),
      };
    },
  },
  {
    name: 'gatherListed',
    tolerance: 0,
    prepare(ops, sizes) {
      const { keys, groups, channels } = sizes;
      const list = lists(ops, sizes, keys);
      const input = headMajorRows(floats(ops, groups * keys * channels, 1), groups, keys, channels);
      const out = rowsOut(ops, groups, list.count, channels);
      return {
        size: `${groups} heads, ${list.count} of ${keys}, d ${channels}`,
        flops: 0,
        bytes: 4 * groups * list.count * (2 * channels + 1),
        out: out.buffer,
        encode: () => ops.gatherListed({ input, list, out }),
      };
    },
  },
  {
    name: 'mixRows',
    tolerance: 1e-5,
    prepare(ops, { rows, groups, channels }) {
      const mixed = Math.ceil(rows / 2);
      const input = headMajorRows(floats(ops, groups * rows * channels, 1), groups, rows, channels);
      const matrix = headMajorRows(floats(ops, mixed * rows, 2), 1, mixed, rows);
      const out = rowsOut(ops, groups, mixed, channels);
      return {
        size: `${groups} heads, ${rows} rows to ${mixed}, d ${channels}`,
        flops: 2 * groups * mixed * rows * channels,
        bytes: 4 * (groups * (rows + mixed) * channels + mixed * rows),
        out: out.buffer,
        encode: () => ops.mixRows({ matrix, input, out }),
      };
    },
  },
];
