import { it } from 'vitest';
import type { Ops } from '../../../gpu/ops';
import {
  type Backends,
  compare,
  describeDevices,
  hardwareAdapter,
  infiniteScores,
  inputView,
  type Layout,
  poisoned,
  quicklyCompiled,
  softwareAdapter,
} from './both';

// An exponential of a difference of numbers of about 3, and sums of at most 129 probabilities.
const tolerance = { relative: 5e-6 };

interface Case {
  readonly queries: number;
  readonly keys: number;
  readonly channels: number;
  readonly heads?: number;
  readonly groups?: number;
  readonly layout?: Layout;
  /** Default: the last query sees the last key. */
  readonly causalOffset?: number;
  readonly window?: number;
  readonly softCap?: number;
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
  { queries: 20, keys: 40, channels: 8, causalOffset: 3 },
  { queries: 70, keys: 70, channels: 8, causalOffset: -66 },
  { queries: 17, keys: 31, channels: 8, causalOffset: 1e9 },
  { queries: 33, keys: 70, channels: 20, heads: 2, groups: 1, infinite: true },
  { queries: 0, keys: 9, channels: 8 },
  // Windows around a vector, a tile and a share, and at offsets where the map's edges cut them.
  ...[0, 1, 3, 8, 31, 32, 33, 64, 100, 2 ** 31].flatMap((window) => [
    { queries: 70, keys: 129, channels: 8, heads: 2, window },
    { queries: 140, keys: 140, channels: 20, window },
  ]),
  { queries: 1, keys: 200, channels: 8, heads: 4, groups: 2, window: 67 },
  { queries: 70, keys: 70, channels: 8, causalOffset: -30, window: 20 },
  { queries: 70, keys: 70, channels: 8, causalOffset: 40, window: 60 },
  { queries: 17, keys: 31, channels: 8, causalOffset: 1e9, window: 5 },
  { queries: 33, keys: 70, channels: 20, heads: 2, groups: 1, infinite: true, window: 9 },
  { queries: 9, keys: 0, channels: 8 },
  { queries: 70, keys: 129, channels: 8, heads: 2, softCap: 0.9 },
  {
    queries: 33,
    keys: 129,
    channels: 33,
    heads: 6,
    groups: 2,
    layout: 'token-major',
    window: 40,
    softCap: 2,
  },
  { queries: 33, keys: 70, channels: 20, heads: 2, groups: 1, infinite: true, softCap: 3 },
];

function inputs(ops: Ops, c: Case) {
  const { queries, keys, channels, heads = 1, groups = 1, layout = 'dense' } = c;
  const [queryShape, keyShape] = [[heads, queries, channels] as const, [groups, keys, channels] as const];
  const values = c.infinite ? infiniteScores(queryShape, keyShape) : { query: 1, key: 2 };
  const query = inputView(ops, queryShape, layout, values.query);
  const key = inputView(ops, keyShape, layout, values.key);
  const scalars = inputView(ops, [heads, 1, queries], 'strided', 3);
  // Row r of a head follows the one before; a plausible log-sum-exp keeps probabilities below about 100.
  const logSumExp = { buffer: scalars.buffer, offset: scalars.offset, headStride: scalars.headStride };
  const causalOffset = c.causalOffset ?? keys - queries;
  return {
    query,
    key,
    scale: channels ** -0.5,
    logSumExp,
    causalOffset,
    window: c.window,
    softCap: c.softCap,
  };
}

const named = cases.map((c) => [JSON.stringify(c), c] as const);

const devices = { 'software adapter': softwareAdapter, 'hardware adapter': quicklyCompiled };

describeDevices('recomputed probabilities', devices, (backends) => {
  it.each(named)('attentionProbabilities %s', (_, c) => compareProbabilities(backends, c));

  it.each(
    named.flatMap(([name, c], i) => {
      const groupings = [
        [name, c, 1, 2, 'one'] as const,
        [name, c, 2, 13, 'group', 'by row'] as const,
        [name, c, 3, 6, 'group'] as const,
        [name, c, 4, 1, 'head'] as const,
        // More than a pass takes; more groups than any pass does.
        [name, c, 3, 20, 'group'] as const,
        [name, c, 2, 50, 'one'] as const,
      ];
      // What a window hides does not depend on how keys are grouped: each gets two of them in turn.
      return c.window === undefined ? groupings : [groupings[i % 6]!, groupings[(i + 3) % 6]!];
    }),
  )('massByGroup %s, %s groupings', (_, c, groupings, groups, setsPer, byRow?) =>
    compareMass(backends, c, groupings, groups, setsPer, byRow),
  );
});

describeDevices(
  'recomputed probabilities, loops written out',
  { 'hardware adapter': hardwareAdapter },
  (backends) => {
    const c = { queries: 70, keys: 129, channels: 20, heads: 4, groups: 2, window: 33 };
    it('attentionProbabilities', () => compareProbabilities(backends, c));
    it('massByGroup', () => compareMass(backends, c, 3, 6, 'group'));
  },
);

async function compareProbabilities(backends: Backends, c: Case): Promise<void> {
  await compare(
    backends,
    (ops) => {
      const out = poisoned(ops, (c.heads ?? 1) * c.queries * c.keys);
      ops.attentionProbabilities({ ...inputs(ops, c), out });
      return { out };
    },
    tolerance,
  );
}

/** `byRow`: each row has groups of its own. */
async function compareMass(
  backends: Backends,
  c: Case,
  groupings: number,
  groups: number,
  setsPer: 'one' | 'group' | 'head',
  byRow?: 'by row',
): Promise<void> {
  const heads = c.heads ?? 1;
  const sets = { one: 1, group: c.groups ?? 1, head: heads }[setsPer];
  await compare(
    backends,
    (ops) => {
      const out = poisoned(ops, groupings * heads * c.queries * groups);
      const groupOf = Uint32Array.from(
        { length: groupings * sets * (byRow ? c.queries : 1) * c.keys + 3 },
        (_, i) => (i * 7 + (i >> 3)) % groups,
      );
      ops.massByGroup({
        ...inputs(ops, c),
        groupOf: ops.upload(groupOf, 'groups'),
        groupings,
        sets,
        groups,
        byRow: byRow !== undefined,
        out,
      });
      return { out };
    },
    tolerance,
  );
}
