import { describe, expect, it, vi } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { explainRow } from '../../src/measure/explain-row';
import { measureLayers } from '../../src/measure/measure-layers';
import { Memo } from '../../src/measure/memo';
import { selectAll } from '../../src/measure/select-all';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { type Parameters, resolveParameters } from '../../src/methods/parameters';
import { fixtureText } from '../methods/fixture';

class Thing {
  released = 0;
  readonly bytes: number;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  release(): void {
    this.released++;
  }
}

const make = (bytes = 10) => {
  const things: Thing[] = [];
  return {
    things,
    make: () => {
      const thing = new Thing(bytes);
      things.push(thing);
      return thing;
    },
  };
};

describe('a memo', () => {
  it('makes a value once, for every run', () => {
    const memo = new Memo();
    const made = make();
    const first = memo.lease();
    const second = memo.lease();
    expect(first.get('a', made.make)).toBe(second.get('a', made.make));
    expect(first.get('b', made.make)).not.toBe(first.get('a', made.make));
    first.end();
    second.end();
    expect(memo.lease().get('a', made.make)).toBe(made.things[0]);
    expect(made.things).toHaveLength(2);
    expect(memo.bytes).toBe(20);
  });

  it('lets go of what was used longest ago, beyond its limit', () => {
    const memo = new Memo(25);
    const lease = memo.lease();
    const made = make();
    for (const key of ['a', 'b']) lease.get(key, made.make);
    lease.get('a', made.make);
    lease.get('c', made.make);
    expect(made.things.map(({ released }) => released)).toEqual([0, 0, 0]);
    lease.renew();
    expect(made.things.map(({ released }) => released)).toEqual([0, 1, 0]);
    expect(memo.bytes).toBe(20);
    // Made anew when it is asked for again.
    lease.get('b', made.make);
    expect(made.things).toHaveLength(4);
  });

  it('forgets what is not to be used again, and releases it with its last run', () => {
    const memo = new Memo();
    const made = make();
    const [busy, other] = [memo.lease(), memo.lease()];
    const used = busy.get('a', made.make);
    other.get('b', made.make);
    other.end();
    memo.forget();
    expect(made.things.map(({ released }) => released)).toEqual([0, 1]);
    expect(other.get('a', made.make)).not.toBe(used);
    busy.end();
    expect(made.things.map(({ released }) => released)).toEqual([1, 1, 0]);
    other.end();
    memo.close();
    expect(made.things.map(({ released }) => released)).toEqual([1, 1, 1]);
  });

  it('keeps what a current run uses, beyond its limit and its end', () => {
    const memo = new Memo(15);
    const made = make();
    const [busy, other] = [memo.lease(), memo.lease()];
    const used = busy.get('a', made.make);
    other.get('a', made.make);
    other.get('b', made.make);
    other.end();
    expect(made.things.map(({ released }) => released)).toEqual([0, 1]);
    memo.close();
    expect(used.released).toBe(0);
    const late = busy.get('c', made.make);
    busy.end();
    expect([used.released, late.released]).toEqual([1, 1]);
    expect(memo.bytes).toBe(0);
  });

  it('counts what a value holds when it is asked, not when it was made', () => {
    const memo = new Memo(15);
    const lease = memo.lease();
    const growing = { bytes: 0, release: vi.fn() };
    lease.get('growing', () => growing);
    lease.renew();
    expect(growing.release).not.toHaveBeenCalled();
    growing.bytes = 16;
    lease.renew();
    expect(growing.release).toHaveBeenCalledOnce();
  });
});

describe('measurements through a memo', () => {
  const text = fixtureText(createCpuOps());
  const { ops, tokens } = text;
  const queries = { start: 150, end: tokens };
  const esa = { initTokens: 4, localTokens: 32, chunkTokens: 40, selectedTokens: 24, compressedDim: 8 };
  const cases: [string, Parameters, Parameters][] = [
    ['esa', { ...esa, projection: 'closed-form' }, { selectedTokens: 12 }],
    ['esa', { ...esa, projection: 'exact' }, { proximity: 1 }],
    ['lagkv', { keepFraction: 0.25, sinkTokens: 4, lagTokens: 16 }, { keepFraction: 0.5 }],
    ['lagkv', { variant: 'kvpress', keepFraction: 0.25, lagTokens: 16 }, { keepFraction: 0.5 }],
    ['oracle', { keepFraction: 0.1 }, { keepFraction: 0.2 }],
    ['random', { keepFraction: 0.2, positions: 'cache' }, { keepFraction: 0.3 }],
  ];

  /** Everything that a study asks of a method, for two settings in turn. */
  async function measured([id, given, moved]: (typeof cases)[number], memo?: Memo) {
    const method = methodById(id);
    const results: unknown[] = [];
    for (const change of [{}, moved, {}]) {
      const parameters = resolveParameters(method, { ...given, ...change }, contextOf(text));
      const shared = { text, method, parameters, ...(memo ? { memo } : {}) };
      results.push(
        await measureLayers({ ...shared, queries }),
        await selectAll({ ...shared, traceIndex: 1, evictAt: queries.start, withScores: true }),
        await explainRow({ ...shared, layer: 0, head: 1, query: tokens - 1, evictAt: queries.start }),
      );
    }
    const methods = [{ method, parameters: resolveParameters(method, given, contextOf(text)) }];
    const curves = methods.map((entry) => ({ ...entry, current: true }));
    results.push(await sweep({ text, methods: curves, fractions: [0.3, 0.6], queries, memo }));
    return results;
  }

  it.each(cases)('%s %o, then %o: the same, however little it may hold', async (...each) => {
    const alone = await measured(each);
    const before = ops.memory().bytes;
    // From nothing over parts of what a run computes to everything.
    for (const limit of [0, 1000, 3000, 10_000, 30_000, 2 ** 26]) {
      const memo = new Memo(limit);
      expect(await measured(each, memo), `${limit} bytes`).toEqual(alone);
      expect(memo.bytes).toBeLessThanOrEqual(limit);
      memo.close();
      expect(ops.memory().bytes).toBe(before);
    }
  });
});
