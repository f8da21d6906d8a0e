import { describe, expect, it } from 'vitest';
import { ruleOf } from '../../components/shared/rule';
import { createCpuOps } from '../../gpu/cpu';
import { explainRow } from '../../src/measure/explain-row';
import { KEY_FATES, type KeyFate, type QueryRow } from '../../src/measure/results';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { explainKey } from '../../src/page/explain/explain-key';
import { expectClose } from '../methods/agreement';
import { expectedScores, fixtureText, inputs, shape } from '../methods/fixture';

const { tokens } = shape;
const text = fixtureText(createCpuOps());
const explain = (id: string, given: Record<string, unknown>, query: number, head = 2, of = text) =>
  explainRow({
    text: of,
    method: methodById(id),
    parameters: resolveParameters(methodById(id), given, contextOf(text)),
    layer: 1,
    head,
    query,
    evictAt: 150,
  });

const LATER = 'read with full attention: the method decides for later queries';

describe('explainRow', () => {
  it('gives full attention’s weights', async () => {
    const row = await explain('full', {}, 100, 3);
    const attention = inputs.float32('attention.1');
    const start = (3 * tokens + 100) * tokens;
    expectClose(row.weights, attention.subarray(start, start + tokens), 5);
    expect(row.scores).toBeNull();
    expect(row.rule).toEqual({ kind: 'everything', partitions: null, evictedAt: null });
  });

  it('puts every key that sub-caches hold into the one that does', async () => {
    const row = await explain(
      'cascading-kv',
      { sinkTokens: 4, cascades: 3, cascadeTokens: 16, chunkTokens: 32 },
      170,
    );
    const held = [...row.fates].flatMap((code, key) =>
      ['selected', 'local'].includes(KEY_FATES[code]!) ? explainKey(row, key).places : [],
    );
    const counts = [3, 2, 1].map((number) => held.filter((place) => place.number === number).length);
    expect(counts).toEqual([16, 16, 16]);
    expect(held.map(({ number }) => number)).toEqual(
      [...held.map(({ number }) => number)].sort((a, b) => b - a),
    );
    expect(new Set(held.map(({ number, every }) => `${number}: ${every}`))).toEqual(
      new Set(['3: 4', '2: 2', '1: 1']),
    );
    const dropped = row.fates.findIndex((code, key) => KEY_FATES[code] === 'dropped' && key > held[0]!.key);
    const [earlier, later] = explainKey(row, dropped).places;
    expect(earlier!.key).toBeLessThan(dropped);
    expect(later!.key).toBeGreaterThan(dropped);
    // Whoever is gone lost to one that was there, and is kept or was dropped later; replayed as the operation did it.
    const { comparisons } = row.rule;
    const order = comparisons!.map((each) => each.dropped);
    const gone = [...row.fates].flatMap((code, key) => (KEY_FATES[code] === 'dropped' ? [key] : []));
    expect([...order].sort((a, b) => a - b)).toEqual(gone);
    for (const [i, { dropped: lost, stayed }] of comparisons!.entries()) {
      if (stayed !== null) expect(order.slice(0, i)).not.toContain(stayed);
      expect(explainKey(row, lost).lostTo).toBe(stayed);
    }
    expect(comparisons!.some(({ stayed }) => stayed !== null)).toBe(true);
  });

  it('tells ESA’s parts apart, with scores and the score at the cut', async () => {
    const name = 'esa@init4_local32_chunk32_k24_eps0';
    const given = {
      projection: 'exact',
      initTokens: 4,
      localTokens: 32,
      chunkTokens: 32,
      selectedTokens: 24,
      proximity: 0,
    };
    const row = await explain('esa', given, 170);
    const fates = [...row.fates].map((code): KeyFate => KEY_FATES[code]!);
    const of = (fate: KeyFate): number[] => fates.flatMap((found, token) => (found === fate ? [token] : []));
    const range = (start: number, end: number): number[] =>
      Array.from({ length: end - start }, (_, i) => start + i);
    expect(of('sink')).toEqual(range(0, 4));
    expect(of('local')).toEqual(range(128, 160));
    expect(of('own-block')).toEqual(range(160, 171));
    expect(of('future')).toEqual(range(171, tokens));
    expect(of('selected').length).toBe(24);
    expect(of('selected').length + of('dropped').length).toBe(124);
    const reference = expectedScores(`${name}.score.1`)[0];
    expectClose(row.scores!.subarray(4, 128), reference!.subarray(4, 128), 3);
    const scoreOf = (token: number): number => row.scores![token]!;
    const { score } = explainKey(row, of('dropped')[0]!);
    expect(score!.cut).toBe(Math.min(...of('selected').map(scoreOf)));
    expect(Math.max(...of('dropped').map(scoreOf))).toBeLessThanOrEqual(score!.cut!);
    expect(score).toMatchObject({ of: 124, kept: 24, partition: null });
    // Keys that no score decided about have none.
    expect([...row.scores!].filter((value) => !Number.isNaN(value))).toHaveLength(124);
  });

  it.each(['criticalkv', 'critical-adakv'])('tells the two stages of %s apart', async (id) => {
    const given = { keepFraction: 0.3, outputProjection: 'identity', windowTokens: 8 };
    for (const head of [0, 2]) {
      const row = await explain(id, given, 160, head);
      const keys = Array.from({ length: 150 }, (_, key) => ({ why: explainKey(row, key), key }));
      const of = (fate: KeyFate) => keys.filter(({ why }) => why.fate === fate);
      // The window is in the first stage, too, and no score of either stage was asked about it.
      const seen = of('selected').length + of('local').length;
      const first = of('selected').filter(({ why }) => why.score === null);
      expect(first.length + of('local').length).toBe(Math.floor(seen / 2));
      expect(first.map(({ why }) => ruleOf(why))).toEqual(
        first.map(() => 'kept: in the first stage, among the best by SnapKV’s score alone'),
      );
      const second = of('selected').filter(({ why }) => why.score !== null);
      const scores = second.map(({ why }) => why.score!.value);
      const cut = Math.min(...scores);
      const above = second[scores.findIndex((score) => score > cut)]!;
      expect(ruleOf(above.why)).toBe(
        'kept: in the second stage, SnapKV’s score times the norm of its value is above the cut',
      );
      for (const { why } of of('dropped')) {
        expect(why.score!.value).toBeLessThan(cut);
        expect(why.score!.cut).toBe(cut);
        expect(ruleOf(why)).toMatch(
          /: not among the best by SnapKV’s score, and the second stage goes by that times the norm of its value, which is below the cut$/,
        );
      }
    }
  });

  it('knows that a method evicts within the answer where the queries begin in it', async () => {
    const row = await explainRow({
      text: { ...text, answerStart: 140 },
      method: methodById('streaming-llm'),
      parameters: resolveParameters(methodById('streaming-llm'), { keepFraction: 0.25 }, contextOf(text)),
      ...{ layer: 1, head: 2, query: 152, evictAt: 150 },
    });
    expect(row.rule).toMatchObject({ kind: 'place', evictedAt: 150 });
    const fates = [...row.fates].map((code) => KEY_FATES[code]);
    expect(fates.slice(150, 152)).toEqual(new Array(2).fill('since'));
    expect(fates.slice(0, 150).filter((fate) => fate !== 'dropped')).toHaveLength(37);
  });

  it('knows sinks and the window of StreamingLLM, and what came after the eviction', async () => {
    const row = await explain('streaming-llm', { keepFraction: 0.25 }, 180);
    const fates = [...row.fates].map((code) => KEY_FATES[code]);
    // ⌊150 / 4⌋ of the tokens before the eviction at 150.
    const first = 150 - (37 - 4);
    expect(fates.slice(0, 5)).toEqual(['sink', 'sink', 'sink', 'sink', 'dropped']);
    expect(fates[first - 1]).toBe('dropped');
    expect(fates[first]).toBe('local');
    expect(fates[149]).toBe('local');
    expect(fates[180]).toBe('own-block');
    expect(fates[181]).toBe('future');
  });

  it('counts what waits for a block apart from InfLLM’s local tokens, and what was read since from a window', async () => {
    const counted = async (id: string, given: Record<string, unknown>, query: number) => {
      const row = await explain(id, given, query);
      const fates = [...row.fates].map((code) => KEY_FATES[code]!);
      const of = (fate: string): number[] => fates.flatMap((each, key) => (each === fate ? [key] : []));
      return { of, said: (key: number) => ruleOf(explainKey(row, key)) };
    };
    const lengths = { initTokens: 4, localTokens: 32, blockTokens: 16, selectedBlocks: 2, chunkTokens: 32 };
    const infllm = await counted('infllm', lengths, 170);
    const start = infllm.of('own-block')[0]!;
    expect(infllm.of('local')).toEqual(Array.from({ length: 32 }, (_, i) => start - 32 + i));
    const waiting = infllm.of('undecided');
    expect(waiting).toHaveLength((start - 32 - 4) % 16);
    expect(infllm.said(waiting[0]!)).toBe('kept: in no block yet');
    expect(infllm.said(start - 1)).toBe('kept: one of the last 32 before the block');
    const squeezed = await counted('squeezed-attention', { observationTokens: 20, chunkTokens: 8 }, 180);
    expect(squeezed.of('local')).toEqual(Array.from({ length: 20 }, (_, i) => 130 + i));
    expect(squeezed.of('since')[0]).toBe(150);
    expect(squeezed.said(149)).toBe('kept: one of the last 20 of the context, before token 150');
    expect(squeezed.said(150)).toBe('kept: read after the context, which ends before token 150');
  });

  it('compares scores within their partition where partitions are cut apart', async () => {
    const row = await explain('lagkv', { lagTokens: 16, sinkTokens: 4, keepFraction: 0.25 }, 180);
    expect(row.rule.partitions).toEqual({ start: 4, tokens: 16 });
    const keys = Array.from({ length: 180 }, (_, key) => key).filter(
      (key) => !Number.isNaN(row.scores![key]),
    );
    expect(keys.length).toBeGreaterThan(100);
    const cuts = new Set<number>();
    for (const key of keys) {
      const { score, fate } = explainKey(row, key);
      const start = 4 + 16 * Math.floor((key - 4) / 16);
      expect(score).toMatchObject({ of: 16, kept: 4, partition: { start, end: start + 16 } });
      expect(score!.rank <= 4).toBe(fate === 'selected');
      expect(score!.value >= score!.cut!).toBe(fate === 'selected');
      cuts.add(score!.cut!);
    }
    // Each partition has its own cut: one for all would put dropped keys above kept ones.
    expect(cuts.size).toBe(keys.length / 16);
  });
});

describe('the sentence', () => {
  const sentences = async (id: string, given: Record<string, unknown>, query: number, head = 2) => {
    const row = await explain(id, given, query, head);
    return (key: number): string => ruleOf(explainKey(row, key));
  };

  it('of full attention: everything is kept, and nothing was scored', async () => {
    const of = await sentences('full', {}, 100);
    for (const key of [0, 50, 99, 100]) expect(of(key)).toBe('kept: everything is kept');
    expect(of(101)).toBe('not seen: it comes after the query');
    expect(explainKey(await explain('full', {}, 100), 50)).toMatchObject({ score: null, fate: 'undecided' });
  });

  it('of methods that never evict: never that they have not yet', async () => {
    const lengths = { initTokens: 4, localTokens: 32, blockTokens: 16, selectedBlocks: 4, chunkTokens: 32 };
    const infllm = await sentences('infllm', lengths, 100);
    expect(infllm(10)).toBe('kept: the budget has room for all keys');
    for (const query of [100, 180]) {
      const think = await sentences('think', {}, query);
      expect(think(50)).toBe('kept: everything is kept');
    }
  });

  it('of StreamingLLM: by place, before and after the eviction', async () => {
    const early = await sentences('streaming-llm', { keepFraction: 0.25 }, 120);
    expect(early(50)).toBe('kept: not yet evicted');
    const of = await sentences('streaming-llm', { keepFraction: 0.25 }, 180);
    expect(of(3)).toBe('kept: one of the first 4');
    expect(of(4)).toMatch(
      /^(dropped|missed): neither among the first 4 nor the last 33 before the eviction at token 150$/,
    );
    expect(of(116)).toMatch(/neither among/);
    expect(of(117)).toBe('kept: one of the last 33 before the eviction at token 150');
    expect(of(180)).toBe('kept: in the query’s own block');
    expect((await explain('streaming-llm', { keepFraction: 0.25 }, 180)).scores).toBeNull();
  });

  it('of StreamingLLM in its cache: the window before each block', async () => {
    const row = await explain('streaming-llm', { keepFraction: 0.25, positions: 'cache' }, 180);
    const local = row.fates.filter((code) => KEY_FATES[code] === 'local').length;
    // ⌊0.25 · 192⌋ keys, four of them sinks.
    expect(local).toBe(44);
    const blockStart = row.fates.findIndex((code) => KEY_FATES[code] === 'own-block');
    expect(ruleOf(explainKey(row, blockStart - 1))).toBe('kept: one of the last 44 before the block');
    expect(ruleOf(explainKey(row, blockStart - 45))).toMatch(
      /: neither among the first 4 nor the last 44 before the block$/,
    );
  });

  it('of what was read since the eviction: that it was', async () => {
    const row = await explain('random', { keepFraction: 0.25, seed: 5 }, 191);
    const blockStart = row.fates.findIndex((code) => KEY_FATES[code] === 'own-block');
    expect(blockStart).toBeGreaterThan(151);
    expect(ruleOf(explainKey(row, 150))).toBe('kept: read since the eviction before token 150');
  });

  it('of random keys: drawn or not, without a score', async () => {
    const row = await explain('random', { keepFraction: 0.25, seed: 5 }, 180);
    const texts = Array.from({ length: 150 }, (_, key) =>
      ruleOf(explainKey(row, key)).replace('missed', 'dropped'),
    );
    expect(new Set(texts)).toEqual(new Set(['kept: drawn, one of 37', 'dropped: not drawn']));
    expect(texts.filter((text) => text.startsWith('kept'))).toHaveLength(37);
    expect(row.scores).toBeNull();
  });

  it('of LagKV: the cut of the key’s own partition', async () => {
    const given = { lagTokens: 16, sinkTokens: 4, keepFraction: 0.25 };
    expect((await sentences('lagkv', { ...given, variant: 'kvpress' }, 120))(50)).toBe(
      'kept: not yet evicted',
    );
    const of = await sentences('lagkv', given, 180);
    const texts = Array.from({ length: 16 }, (_, at) => of(20 + at).replace('missed', 'dropped'));
    expect(new Set(texts)).toEqual(
      new Set([
        'kept: its score is above the cut of its partition, tokens 20 to 35',
        'kept: its score is the lowest that stayed of its partition, tokens 20 to 35',
        'dropped: its score is below the cut of its partition, tokens 20 to 35',
      ]),
    );
    expect(of(2)).toBe('kept: one of the first 4');
    const row = await explain('lagkv', given, 180);
    const late = row.fates.findLastIndex((code) => KEY_FATES[code] === 'local');
    expect(of(late)).toBe('kept: its partition is not compressed yet');
  });

  it('of LagKV as kvpress has it: ranks, and the raw scores that break their ties', async () => {
    const row = await explain(
      'lagkv',
      { variant: 'kvpress', lagTokens: 16, sinkTokens: 4, keepFraction: 0.4 },
      180,
    );
    const whys = Array.from({ length: 150 }, (_, key) => explainKey(row, key)).filter(
      ({ score }) => score !== null,
    );
    const atCut = whys.filter(({ score }) => score!.value === score!.cut);
    // Every partition has a key of each rank.
    expect(atCut.length).toBeGreaterThan(4);
    for (const { fate, score } of atCut) {
      expect(score!.second!.value >= score!.second!.cut).toBe(fate === 'selected');
    }
    const dropped = atCut.find(({ fate }) => fate === 'dropped')!;
    expect(ruleOf(dropped)).toMatch(/: its score is the cut, but its second score is below that at the cut$/);
  });

  it('of ESA: both scores where the second decides', async () => {
    const given = {
      ...{ projection: 'exact', initTokens: 4, localTokens: 32, chunkTokens: 32 },
      ...{ selectedTokens: 24, proximity: 3 },
    };
    const row = await explain('esa', given, 170);
    const whys = Array.from({ length: 124 }, (_, at) => explainKey(row, 4 + at));
    for (const { fate, score } of whys) {
      const { value, cut, second, tied } = score!;
      const isKept = fate === 'selected';
      if (value !== cut) expect(value > cut!).toBe(isKept);
      else if (second && second.value !== second.cut) expect(second.value > second.cut).toBe(isKept);
      else expect(isKept || tied !== null).toBe(true);
    }
    // Dilation gives neighbours one score: of those at the cut their own scores decide.
    const atCut = whys.filter(({ score }) => score!.value === score!.cut);
    const texts = new Set(atCut.map((why) => ruleOf(why).replace('missed', 'dropped')));
    expect(texts).toContain('dropped: its score is the cut, but its second score is below that at the cut');
    expect(texts).toContain('kept: its score is the cut, and its second score the lowest that stayed');
  });

  it('of ESA and the oracle where there is room for all', async () => {
    const given = {
      projection: 'exact',
      initTokens: 4,
      localTokens: 32,
      chunkTokens: 32,
      selectedTokens: 180,
    };
    expect((await sentences('esa', given, 170))(50)).toBe('kept: the budget has room for all keys');
    expect((await sentences('oracle', { keepFraction: 1 }, 170))(50)).toBe(
      'kept: the budget has room for all keys',
    );
  });

  it.each([
    [
      'quest',
      { denseLayers: 2, pageTokens: 4, budgetTokens: 32 },
      170,
      'layer 1 is dense: the method leaves it out',
    ],
    ['quest', { denseLayers: 0, pageTokens: 4, budgetTokens: 32 }, 140, LATER],
    ['sparq', {}, 140, LATER],
    ['squeezed-attention', {}, 140, LATER],
    ['snapkv', { keepFraction: 0.25 }, 140, 'not yet evicted'],
    ['think', {}, 170, 'everything is kept'],
  ])('of %s with %o, which drops nothing for query %i', async (id, given, query, why) => {
    expect((await sentences(id, given, query))(50)).toBe(`kept: ${why}`);
  });

  it('of MInference behind the prompt, whose queries see everything', async () => {
    const row = await explain('minference', {}, 170, 2, { ...text, answerStart: 160 });
    expect(ruleOf(explainKey(row, 50))).toBe(
      'kept: read with full attention: the method decides for the prompt’s queries',
    );
  });

  it('of the oracle: attention received, above and below the cut', async () => {
    const row = await explain('oracle', { keepFraction: 0.1 }, 170);
    const keys = [...row.scores!.keys()].filter((key) => !Number.isNaN(row.scores![key]));
    const texts = keys.map((key) => ruleOf(explainKey(row, key)).replace('missed', 'dropped'));
    expect(texts.filter((text) => text.startsWith('kept'))).toHaveLength(19);
    expect(new Set(texts)).toEqual(
      new Set([
        'kept: its score is above the cut',
        'kept: its score is the lowest that stayed',
        'dropped: its score is below the cut',
      ]),
    );
  });

  const said = (row: QueryRow): Map<string, number[]> => {
    const keys = [...row.scores!.keys()].filter((key) => !Number.isNaN(row.scores![key]));
    const rules = new Map<string, number[]>();
    for (const key of keys) {
      const rule = ruleOf(explainKey(row, key)).replace('missed', 'dropped');
      rules.set(rule, [...(rules.get(rule) ?? []), key]);
    }
    return rules;
  };

  it('of Quest and ChunkKV: a unit kept whole ties with no other, and is one of so many', async () => {
    const quest = { pageTokens: 16, budgetTokens: 64, denseLayers: 0 };
    for (const [id, given, name, kept] of [
      ['quest', quest, 'page', 4],
      ['chunkkv', { chunkTokens: 16, keepFraction: 0.5, windowTokens: 8 }, 'chunk', 5],
    ] as const) {
      const row = await explain(id, given, 170);
      const rules = said(row);
      expect([...rules.keys()].sort()).toEqual([
        `dropped: its ${name} is not among the ${kept} best`,
        `kept: its ${name} is among the ${kept} best`,
      ]);
      const whys = rules
        .get(`kept: its ${name} is among the ${kept} best`)!
        .map((key) => explainKey(row, key));
      expect(new Set(whys.map(({ score }) => score!.rank))).toEqual(
        new Set(Array.from({ length: kept }, (_, at) => at + 1)),
      );
      const of = Math.ceil((id === 'quest' ? 171 : 150) / 16);
      for (const { score } of whys) expect(score).toMatchObject({ of, kept, tied: null });
    }
  });

  it('of Squeezed Attention: the threshold, and no tie', async () => {
    const row = await explain('squeezed-attention', { quantile: 0.6 }, 180);
    const rules = said(row);
    expect([...rules.keys()].sort()).toEqual([
      'dropped: its cluster does not score above the threshold',
      'kept: its cluster scores above the threshold',
    ]);
    for (const [rule, keys] of rules) {
      for (const key of keys) {
        const { score } = explainKey(row, key);
        expect(score!.cut).toBe(row.rule.threshold);
        expect(score!.value > score!.cut!).toBe(rule.startsWith('kept'));
      }
    }
  });

  it('of H2O: a dropped key lost when there was no room', async () => {
    const row = await explain('h2o', { heavyTokens: 16, recentTokens: 16, prefillTokens: 64 }, 170);
    const dropped = row.fates.findIndex((code) => KEY_FATES[code] === 'dropped');
    expect(ruleOf(explainKey(row, dropped)).replace('missed', 'dropped')).toBe(
      'dropped: when there was no room for it the attention that it had received was among the least, and it is gone for good',
    );
  });
});
