import { it } from 'vitest';
import { longestPattern } from '../../../gpu/operations/pattern-lists/op';
import type { IndexList, Ops } from '../../../gpu/ops';
import { compare, describeBoth, poisonedIntegers } from './both';

interface Case {
  readonly columns: readonly (readonly number[])[];
  readonly diagonals: readonly (readonly number[])[];
  readonly blocks?: { readonly lists: readonly (readonly number[])[]; readonly tokens: number };
  readonly anchor: number;
  readonly firstQuery: number;
  readonly queries: number;
}

const every = (step: number, end: number): number[] =>
  Array.from({ length: Math.ceil(end / step) }, (_, i) => i * step);
const blockRows = Array.from({ length: 2 * 7 }, (_, row) => [0, row >> 1, (row >> 1) + 3]);

const cases: readonly (readonly [string, Case])[] = [
  ['the first query of all', { columns: [[0]], diagonals: [[0]], anchor: 0, firstQuery: 0, queries: 1 }],
  ['columns alone', { columns: [[0, 5, 9], [2, 3, 4]], diagonals: [[], []], anchor: 9, firstQuery: 2, queries: 8 }], // biome-ignore format: short
  ['diagonals alone', { columns: [[], []], diagonals: [[0, 8, 9], [3, 4, 9]], anchor: 9, firstQuery: 0, queries: 10 }], // biome-ignore format: short
  ['keys in both', { columns: [every(3, 700), every(7, 700).concat(every(1, 134).map((i) => 700 + i))], diagonals: [every(2, 468), every(1, 234).map((i) => 599 + i)], anchor: 832, firstQuery: 790, queries: 43 }], // biome-ignore format: short
  ['blocks too', { columns: [[1, 40], [2, 3]], diagonals: [[97, 99], [0, 98]], blocks: { lists: blockRows, tokens: 16 }, anchor: 99, firstQuery: 60, queries: 40 }], // biome-ignore format: short
  ['queries behind the anchor', { columns: [[0]], diagonals: [[4, 5]], anchor: 5, firstQuery: 4, queries: 9 }], // biome-ignore format: short
  ['no queries', { columns: [[0]], diagonals: [[0]], anchor: 5, firstQuery: 4, queries: 0 }],
  ['no heads', { columns: [], diagonals: [], anchor: 5, firstQuery: 4, queries: 3 }],
];

describeBoth('patternLists', (backends) => {
  it.each(cases)('%s', async (_, { columns, diagonals, blocks, ...places }) => {
    const run = (
      ops: Ops,
      listOf: (lists: readonly (readonly number[])[]) => IndexList,
      byQuery: boolean,
    ) => {
      const given = {
        ...{ columns: listOf(columns), diagonals: listOf(diagonals), ...places, byQuery },
        ...(blocks && { blocks: { list: listOf(blocks.lists), tokens: blocks.tokens } }),
      };
      const sets = columns.length * places.queries;
      const count = longestPattern(given);
      const buffer = poisonedIntegers(ops, sets + 3 + sets * (count + 2));
      const out = { buffer, offset: sets + 3, sets, count, rowStride: count + 2, countsOffset: 1 };
      ops.patternLists({ ...given, out });
      return { out: buffer };
    };
    for (const byQuery of [false, true]) {
      await compare(backends, (ops) =>
        run(
          ops,
          (lists) => {
            const count = lists[0]?.length ?? 0;
            const buffer = ops.upload(Uint32Array.from([7, ...lists.flat()]), 'lists');
            return { buffer, offset: 1, sets: lists.length, count, rowStride: count };
          },
          byQuery,
        ),
      );
    }
    // The same with lengths of their own: of all, none, one less.
    await compare(backends, (ops) =>
      run(
        ops,
        (lists) => {
          const [sets, count] = [lists.length, lists[0]?.length ?? 0];
          const lengths = lists.map((_, set) => Math.max(0, [count, 0, count - 1][set % 3]!));
          const buffer = ops.upload(Uint32Array.from([...lengths, ...lists.flat()]), 'lists');
          return { buffer, offset: sets, sets, count, rowStride: count, countsOffset: 0 };
        },
        false,
      ),
    );
  });
});
