import { it } from 'vitest';
import type { Ops } from '../../../gpu/ops';
import {
  compare,
  describeBoth,
  infiniteScores,
  inputView,
  type Layout,
  outputView,
  poisonedIntegers,
  randomFloats,
} from './both';

// An exponential of a difference of numbers of about 3, and sums of at most some hundred probabilities.
const tolerance = { relative: 5e-6 };

const ALL_SUMS = ['group', 'group, added', 'head', 'head, added'] as const;
type Sums = (typeof ALL_SUMS)[number];

interface Case {
  readonly queries: number;
  readonly keys: number;
  readonly channels: number;
  readonly heads?: number;
  readonly groups?: number;
  readonly layout?: Layout;
  readonly start?: number;
  readonly end?: number;
  readonly causal?: boolean;
  readonly window?: number;
  readonly softCap?: number;
  /** Length of the lists and number of them, or the length of each of them. */
  readonly list?: number;
  readonly sets?: number;
  readonly lengths?: readonly number[];
  /** Where sums go, and whether to what is there; all four where it is not said. */
  readonly sums?: Sums;
  /** Every third key scores −∞. */
  readonly infinite?: true;
}

const cases: readonly Case[] = [
  { queries: 1, keys: 1, channels: 1 },
  { queries: 3, keys: 5, channels: 6, heads: 3, groups: 1, layout: 'strided' },
  { queries: 31, keys: 33, channels: 20, heads: 2, groups: 2 },
  { queries: 33, keys: 129, channels: 33, heads: 6, groups: 2, layout: 'token-major' },
  { queries: 65, keys: 64, channels: 32, heads: 2, groups: 1 },
  { queries: 64, keys: 127, channels: 64 },
  { queries: 20, keys: 40, channels: 8, end: 23 },
  { queries: 70, keys: 70, channels: 8, end: 4 },
  { queries: 17, keys: 31, channels: 8, causal: false },
  { queries: 33, keys: 70, channels: 20, heads: 2, groups: 1, infinite: true },
  { queries: 20, keys: 140, channels: 8, heads: 4, groups: 2, start: 7, end: 133 },
  { queries: 0, keys: 9, channels: 8 },
  { queries: 9, keys: 0, channels: 8 },
  { queries: 9, keys: 9, channels: 8, heads: 2, end: 0 },
  { queries: 70, keys: 129, channels: 8, heads: 2, softCap: 0.9, sums: 'group' },
  {
    queries: 20,
    keys: 140,
    channels: 20,
    heads: 4,
    groups: 2,
    list: 40,
    sets: 2,
    start: 90,
    softCap: 1.5,
    sums: 'head',
  },
  // What a window hides does not depend on where sums go, so that each goes to one of the four.
  ...[0, 3, 31, 33, 100].flatMap((window) => [
    { queries: 70, keys: 129, channels: 8, heads: 2, window, sums: 'group, added' } as const,
    { queries: 140, keys: 150, channels: 20, start: 5, end: 145, window, sums: 'head, added' } as const,
  ]),
  ...[1, 8, 32, 64, 2 ** 31].flatMap((window) => [
    { queries: 70, keys: 129, channels: 8, heads: 2, window, sums: 'group' } as const,
    { queries: 140, keys: 150, channels: 20, start: 5, end: 145, window, sums: 'head' } as const,
  ]),
  { queries: 1, keys: 200, channels: 8, heads: 4, groups: 2, window: 67, sums: 'group, added' },
  // A list beside the range, for all heads, for each head of keys and for each query head.
  ...[1, 3, 4, 5, 17].flatMap((queries) => [
    { queries, keys: 129, channels: 20, heads: 6, groups: 2, list: 63, sets: 1, start: 100 },
    { queries, keys: 129, channels: 8, heads: 6, groups: 2, list: 64, sets: 2, start: 100, end: 120 },
    { queries, keys: 129, channels: 8, heads: 6, groups: 2, list: 65, sets: 6, end: 0 },
    { queries, keys: 200, channels: 6, heads: 4, groups: 2, list: 70, lengths: [70, 0, 1, 64], start: 150 },
    {
      queries,
      keys: 200,
      channels: 6,
      heads: 4,
      groups: 2,
      list: 70,
      lengths: [7, 65],
      start: 150,
      window: 9,
    },
    { queries, keys: 90, channels: 6, heads: 3, list: 33, lengths: [30], start: 80 },
  ]),
  { queries: 5, keys: 90, channels: 6, heads: 2, list: 0, start: 80 },
  { queries: 0, keys: 90, channels: 6, heads: 2, list: 8, start: 80 },
  { queries: 9, keys: 60, channels: 20, heads: 2, list: 20, start: 50, infinite: true },
];

function run(ops: Ops, c: Case, sums: Sums) {
  const accumulate = sums.endsWith('added');
  const { queries, keys, channels, heads = 1, groups = 1, layout = 'dense', list = 0, lengths } = c;
  const sets = lengths?.length ?? c.sets ?? 1;
  const [queryShape, keyShape] = [[heads, queries, channels] as const, [groups, keys, channels] as const];
  const values = c.infinite ? infiniteScores(queryShape, keyShape) : { query: 1, key: 2 };
  // Dense, what follows a head's last query is the next one's first: as plausible as its own. Poison would weigh nothing.
  const scalars = inputView(ops, [heads, 1, queries], queries % 2 === 0 ? 'strided' : 'dense', 3);
  const rows = sums.startsWith('head') ? heads : groups;
  const outLayout = accumulate ? 'dense' : 'strided';
  const view = accumulate
    ? inputView(ops, [1, rows, keys], outLayout, randomFloats(rows * keys, 5))
    : outputView(ops, [1, rows, keys], outLayout);
  const countsOffset = 2 + sets * (list + 1);
  const buffer = poisonedIntegers(ops, countsOffset + sets);
  for (let set = 0; set < sets; set++) {
    const length = lengths?.[set] ?? list;
    const entries = Uint32Array.from({ length }, (_, i) => Math.floor(((i + set / sets) * keys) / list));
    ops.write(buffer, 2 + set * (list + 1), entries);
  }
  if (lengths) ops.write(buffer, countsOffset, Uint32Array.from(lengths));
  ops.accumulatedAttention({
    query: inputView(ops, queryShape, layout, values.query),
    key: inputView(ops, keyShape, layout, values.key),
    scale: channels ** -0.5,
    softCap: c.softCap,
    logSumExp: { buffer: scalars.buffer, offset: scalars.offset, headStride: scalars.headStride },
    visible: {
      range: { start: c.start ?? 0, end: c.end ?? keys, causal: c.causal ?? true, window: c.window },
      list:
        c.list === undefined
          ? undefined
          : {
              ...{ buffer, offset: 2, sets, count: list, rowStride: list + 1 },
              ...(lengths && { countsOffset }),
            },
    },
    out: { buffer: view.buffer, offset: view.offset, rows, length: keys, rowStride: view.rowStride },
    accumulate,
  });
  return { out: view.buffer };
}

describeBoth('accumulatedAttention', (backends) => {
  it.each(
    cases.flatMap((c) => (c.sums ? [c.sums] : ALL_SUMS).map((sums) => [JSON.stringify(c), sums, c] as const)),
  )('%s, sums by %s', async (_, sums, c) => {
    await compare(backends, (ops) => run(ops, c, sums), tolerance);
  });
});
