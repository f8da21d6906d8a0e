import { describe, expect, it } from 'vitest';
import { ruleOf } from '../../components/shared/rule';
import { KEY_FATES, type KeyFate, type QueryRow } from '../../src/measure/results';
import { explainKey } from '../../src/page/explain/explain-key';

/** Keys 0, 1, … with one fate, score and second score each; the query is the last. */
function rowOf(
  keys: readonly (readonly [fate: KeyFate, score?: number, second?: number])[],
  partitionTokens: number | null = null,
): QueryRow {
  const weights = new Float32Array(keys.length);
  return {
    method: { id: 'esa', parameters: {} },
    layer: 0,
    head: 0,
    query: keys.length - 1,
    weights,
    positions: 'model',
    firstWeight: 1,
    fates: Uint8Array.from(keys, ([fate]) => KEY_FATES.indexOf(fate)),
    rule: {
      kind: 'scores',
      partitions: partitionTokens === null ? null : { start: 0, tokens: partitionTokens },
      evictedAt: null,
    },
    scores: Float32Array.from(keys, ([, score]) => score ?? Number.NaN),
    secondary: keys.some(([, , second]) => second !== undefined)
      ? Float32Array.from(keys, ([, , second]) => second ?? Number.NaN)
      : null,
  };
}

const sentences = (row: QueryRow): string[] => [...row.fates].map((_, key) => ruleOf(explainKey(row, key)));

describe('the rule that decided', () => {
  it('is the score, where it differs from the cut', () => {
    expect(sentences(rowOf([['selected', 3], ['dropped', 1], ['selected', 2], ['own-block']]))).toEqual([
      'kept: its score is above the cut',
      'dropped: its score is below the cut',
      'kept: its score is the lowest that stayed',
      'kept: in the query’s own block',
    ]);
  });

  it('is the second score among equals', () => {
    const row = rowOf([
      ['selected', 0, -1],
      ['dropped', 0, -3],
      ['selected', 0, -2],
      ['dropped', -1, 5],
    ]);
    expect(sentences(row)).toEqual([
      'kept: its score is the cut, and its second score is above that at the cut',
      'dropped: its score is the cut, but its second score is below that at the cut',
      'kept: its score is the cut, and its second score the lowest that stayed',
      'dropped: its score is below the cut',
    ]);
    expect(explainKey(row, 1).score).toMatchObject({ cut: 0, second: { value: -3, cut: -2 }, tied: null });
    expect(explainKey(row, 3).score).toMatchObject({ cut: 0, second: null });
  });

  it('is the lower token among those that are equal in all', () => {
    const equal = rowOf([
      ['selected', 1],
      ['selected', 1],
      ['dropped', 1],
      ['dropped', 0],
    ]);
    expect(sentences(equal)).toEqual([
      'kept: won a tie of 3 at the cut, the lower token first',
      'kept: won a tie of 3 at the cut, the lower token first',
      'dropped: lost a tie of 3 at the cut, the lower token first',
      'dropped: its score is below the cut',
    ]);
    const inBoth = rowOf([
      ['selected', 1, 2],
      ['dropped', 1, 2],
      ['dropped', 1, 0],
    ]);
    expect(sentences(inBoth).slice(1)).toEqual([
      'dropped: lost a tie of 2 at the cut, the lower token first',
      'dropped: its score is the cut, but its second score is below that at the cut',
    ]);
  });

  it('is of the key’s own partition', () => {
    const row = rowOf(
      [
        ['selected', 5],
        ['dropped', 4],
        ['selected', 2],
        ['dropped', 1],
      ],
      2,
    );
    expect(explainKey(row, 1).score).toMatchObject({
      cut: 5,
      rank: 2,
      of: 2,
      kept: 1,
      partition: { start: 0, end: 2 },
    });
    expect(sentences(row)[1]).toBe('dropped: its score is below the cut of its partition, tokens 0 to 1');
    expect(sentences(row)[2]).toBe(
      'kept: its score is the lowest that stayed of its partition, tokens 2 to 3',
    );
  });

  it('is no score where none stays, or there is none', () => {
    expect(sentences(rowOf([['dropped', 1], ['dropped']]))).toEqual([
      'dropped: no key stays',
      'dropped: the method keeps no such key',
    ]);
  });

  it('says missed where full attention gave weight', () => {
    const row = {
      ...rowOf([['selected', 3], ['dropped', 1], ['own-block']]),
      weights: Float32Array.of(0.9, 0.05, 0.05),
    };
    expect(sentences(row)[1]).toBe('missed: its score is below the cut');
  });

  it('is a sub-cache’s turn or a neighbour’s score, where only one of two goes on; both are named', () => {
    const subCaches = [
      { tokens: 1, every: 1 },
      { tokens: 2, every: 2 },
      { tokens: 1, every: 4 },
    ];
    const rule = { kind: 'neighbour', partitions: null, evictedAt: null, subCaches } as const;
    const fates = (
      ['sink', 'dropped', 'selected', 'dropped', 'selected', 'selected', 'local', 'own-block'] as const
    ).map((fate): [KeyFate] => [fate]);
    const lost =
      'dropped: it scored less than its neighbour when the next sub-cache took none, or left the last one';
    expect(sentences({ ...rowOf(fates), rule })).toEqual([
      'kept: one of the first 1',
      `${lost}; beside it stayed key 2 in sub-cache 3`,
      'kept: in sub-cache 3 of 3, which takes one in 4 once all are full; it came there as they filled, on its turn, or because it scored no less than its neighbour',
      `${lost}; beside it stayed key 2 in sub-cache 3 and key 4 in sub-cache 2`,
      'kept: in sub-cache 2 of 3, which takes one in 2 once all are full; it came there as they filled, on its turn, or because it scored no less than its neighbour',
      'kept: in sub-cache 2 of 3, which takes one in 2 once all are full; it came there as they filled, on its turn, or because it scored no less than its neighbour',
      'kept: in sub-cache 1 of 3, which takes every token',
      'kept: in the query’s own block',
    ]);
  });

  it('is the neighbour that a dropped key lost to, where that is known', () => {
    const comparisons = [
      { dropped: 1, stayed: 2 },
      { dropped: 3, stayed: null },
    ];
    const subCaches = [{ tokens: 2, every: 1 }];
    const rule = { kind: 'neighbour', partitions: null, evictedAt: null, subCaches, comparisons } as const;
    const said = sentences({ ...rowOf([['sink'], ['dropped'], ['selected'], ['dropped'], ['local']]), rule });
    expect(said[1]).toBe(
      'dropped: when the next sub-cache took none, key 2, its neighbour then, had received at least as much attention; beside it stayed key 2 in sub-cache 1',
    );
    expect(said[3]).toMatch(/^dropped: it left the last sub-cache; beside it stayed key 2/);
  });

  it('is the kind of the head, where heads keep everything or both ends', () => {
    const headRule = { kind: 'head', partitions: null, evictedAt: 3 } as const;
    const of = (fates: readonly KeyFate[]): string[] =>
      sentences({ ...rowOf(fates.map((fate) => [fate])), rule: headRule });
    expect(of(['sink', 'dropped', 'local', 'since', 'own-block'])).toEqual([
      'kept: one of the first 1',
      'dropped: its head is a streaming head, which keeps the first 1 and the last 1 before the eviction at token 3',
      'kept: one of the last 1 before the eviction at token 3',
      'kept: read since the eviction before token 3',
      'kept: in the query’s own block',
    ]);
    const retrieval = 'kept: its head is a retrieval head, which keeps every key';
    expect(of(['sink', 'local', 'undecided', 'since', 'own-block'])).toEqual([
      ...[retrieval, retrieval, retrieval],
      'kept: read since the eviction before token 3',
      'kept: in the query’s own block',
    ]);
  });
});
