import { it } from 'vitest';
import type { IndexList, Ops } from '../../../gpu/ops';
import { compare, describeBoth, inputScores, poisonedIntegers, randomFloats, scoresOut } from './both';

const infinity = Number.POSITIVE_INFINITY;
const KINDS = ['sum', 'mean', 'max', 'min'] as const;

describeBoth('segmentReduce and expandSegments', (backends) => {
  it.each([
    // Rows, entries, entries of a segment.
    [1, 1, 1],
    [1, 1, 9],
    [3, 16, 16],
    [2, 129, 16],
    [2, 64, 64],
    // More entries than a thread takes alone, and segments that are cut.
    [2, 65, 65],
    [3, 200, 66],
    [2, 1000, 128],
    [1, 1025, 2 ** 33],
    [70, 12, 5],
    [0, 9, 3],
    [2, 0, 3],
  ])('%i rows of %i in segments of %i', async (rows, length, segmentLength) => {
    const segments = Math.ceil(length / segmentLength);
    for (const kind of KINDS) {
      await compare(
        backends,
        (ops) => {
          const input = inputScores(ops, rows, length, randomFloats(rows * length, 1));
          const out = scoresOut(ops, rows, segments);
          ops.segmentReduce({ kind, input, segmentLength, out });
          return { out: out.buffer };
        },
        // Sums of at most 1,025 numbers; the largest and the smallest are exact.
        { relative: kind === 'sum' || kind === 'mean' ? 3e-6 : 0 },
      );
    }
    await compare(backends, (ops) => {
      const input = inputScores(ops, rows, segments, randomFloats(rows * segments, 1));
      const out = scoresOut(ops, rows, length);
      ops.expandSegments({ input, segmentLength, out });
      return { out: out.buffer };
    });
  });

  it.each([3, 70])(
    'of constants, NaN, infinities and both zeros, in segments of %i',
    async (segmentLength) => {
      const special = [Number.NaN, -infinity, 0, -0, -7, -7, infinity, 3e38, 2];
      const length = 9 * segmentLength + 1;
      // Every segment has the numbers up to its own.
      const values = Float32Array.from({ length }, (_, i) => {
        const segment = Math.floor(i / segmentLength);
        return i % segmentLength === 1 ? special[segment]! : segment === 7 ? 0 : -7;
      });
      for (const kind of KINDS) {
        await compare(
          backends,
          (ops) => {
            const input = inputScores(ops, 1, length, values);
            const out = scoresOut(ops, 1, 10);
            ops.segmentReduce({ kind, input, segmentLength, out });
            return { out: out.buffer };
          },
          { relative: kind === 'sum' || kind === 'mean' ? 1e-6 : 0 },
        );
      }
      await compare(backends, (ops) => {
        const out = scoresOut(ops, 1, length);
        const input = inputScores(ops, 1, 10, Float32Array.of(...special, 1));
        ops.expandSegments({ input, segmentLength, out });
        return { out: out.buffer };
      });
    },
  );
});

interface ListCase {
  readonly lists: readonly (readonly number[])[];
  readonly segmentLength: number;
  readonly indexBase: number;
  readonly end: number;
}

const many = Array.from({ length: 90 }, (_, i) => 2 * i + 1);
const listCases: readonly (readonly [string, ListCase])[] = [
  ['one segment of one', { lists: [[0]], segmentLength: 1, indexBase: 0, end: 1 }],
  ['whole segments', { lists: [[0, 2, 3], [1, 2, 4]], segmentLength: 16, indexBase: 4, end: 84 }], // biome-ignore format: short
  ['a last segment that is cut', { lists: [many, many.map((s) => s + 3)], segmentLength: 7, indexBase: 5, end: 1290 }], // biome-ignore format: short
  ['segments behind the end', { lists: [[0, 5, 9], [7, 8, 9], [1, 2, 3]], segmentLength: 4, indexBase: 1, end: 23 }], // biome-ignore format: short
  ['an end before everything', { lists: [[0, 1], [2, 3]], segmentLength: 4, indexBase: 10, end: 10 }], // biome-ignore format: short
  ['segments without entries', { lists: [[0, 1]], segmentLength: 0, indexBase: 0, end: 9 }],
  ['no segments', { lists: [[], []], segmentLength: 4, indexBase: 0, end: 9 }],
  ['no lists', { lists: [], segmentLength: 4, indexBase: 0, end: 9 }],
];

describeBoth('expandList', (backends) => {
  const expand = (
    ops: Ops,
    segments: IndexList,
    { segmentLength, indexBase, end }: ListCase,
    setsPerEnd?: number,
  ) => {
    const { sets } = segments;
    const last = setsPerEnd === undefined ? end : end + Math.ceil(sets / setsPerEnd) - 1;
    const count = Math.min(segments.count * segmentLength, Math.max(0, last - indexBase));
    const buffer = poisonedIntegers(ops, sets + 3 + sets * (count + 2));
    const out = { buffer, offset: sets + 3, sets, count, rowStride: count + 2, countsOffset: 1 };
    ops.expandList({ segments, segmentLength, indexBase, end, out, ...(setsPerEnd && { setsPerEnd }) });
    return { out: buffer };
  };

  it.each(listCases)('%s', async (_, c) => {
    const sets = c.lists.length;
    const count = c.lists[0]?.length ?? 0;
    await compare(backends, (ops) => {
      const buffer = ops.upload(Uint32Array.from([7, ...c.lists.flat()]), 'segments');
      return expand(ops, { buffer, offset: 1, sets, count, rowStride: count }, c);
    });
    await compare(backends, (ops) => {
      const buffer = ops.upload(Uint32Array.from([7, ...c.lists.flat()]), 'segments');
      return expand(ops, { buffer, offset: 1, sets, count, rowStride: count }, c, 2);
    });
    // The same with lengths of their own: of all, none, one less.
    const lengths = c.lists.map((_, set) => Math.max(0, [count, 0, count - 1][set % 3]!));
    await compare(backends, (ops) => {
      const buffer = ops.upload(Uint32Array.from([...lengths, ...c.lists.flat()]), 'segments');
      return expand(ops, { buffer, offset: sets, sets, count, rowStride: count, countsOffset: 0 }, c);
    });
  });
});
