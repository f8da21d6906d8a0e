import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { choose } from '../../src/measure/choices';
import { selectAll } from '../../src/measure/select-all';
import { type KeptKeys, readKept, readScores, visibleTokens } from '../../src/measure/selection-reader';
import { contextOf, layerInput, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { h2o } from '../../src/methods/h2o';
import type { MethodRun } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { draw, lcg } from '../golden/lcg';
import { expectClose } from './agreement';
import { randomLayers, recordText } from './recorded';

/** H2O-1: `LCG(121)`, Q then K, each [2, 14, 4], no rotary positions. Computed with the official class. */
const h2o1 = {
  ...{ tokens: 14, heads: 2, channels: 4, heavyTokens: 2, recentTokens: 3, prefillTokens: 6 },
  kept: [0, 1, 11, 12, 13],
  sums: [
    [4.153733, 2.551432, 0.607036, 0.473013, 0.067479],
    [3.881975, 2.661416, 0.620539, 0.279903, 0.306336],
  ],
};

it('H2O-1: what stays, and the attention it has received', async () => {
  const { tokens, heads, channels, heavyTokens, recentTokens, prefillTokens } = h2o1;
  const next = lcg(121);
  const [query, key] = [draw(next, heads * tokens * channels), draw(next, heads * tokens * channels)];
  const shape = { tokens, queryHeads: heads, keyValueHeads: heads, headDimension: channels };
  const text = recordText(createCpuOps(), shape, [{ query, key, value: key }], { rope: null });
  const given = { heavyTokens, recentTokens, prefillTokens };
  const parameters = resolveParameters(h2o, given, contextOf(text));
  const request = { text, method: h2o, parameters, traceIndex: 0, evictAt: tokens, withScores: true };
  const { after } = await selectAll(request);
  for (let head = 0; head < heads; head++) {
    expect([...visibleTokens(after.kept, head, tokens)]).toEqual(h2o1.kept);
    const sums = after.scores![head]!.filter((sum) => !Number.isNaN(sum));
    expectClose(sums, h2o1.sums[head]!);
  }
});

it.each(['original', 'cache'])('returns to its mark, however often, with positions %s', async (positions) => {
  const shape = { tokens: 60, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
  const ops = createCpuOps();
  const [text, other] = [4, 5].map((seed) => recordText(ops, shape, randomLayers(shape, 1, seed)));
  const given = { heavyTokens: 5, recentTokens: 4, prefillTokens: 20, positions };
  const parameters = resolveParameters(h2o, given, contextOf(text!));
  const read = async (run: MethodRun, of: Trace, start: number, end: number): Promise<KeptKeys> => {
    const input = layerInput(of.layerTraces[0]!, { start, end });
    const selection = run.select(input);
    run.attended!(input, selection, null);
    const kept = await readKept(ops, selection);
    ops.release(...selection.owned);
    return kept;
  };
  const readAll = async (run: MethodRun, of: Trace, from: number, to: number): Promise<KeptKeys[]> => {
    const kept: KeptKeys[] = [];
    for (let token = from; token < to; token++) kept.push(await read(run, of, token, token + 1));
    return kept;
  };
  const before = ops.memory().bytes;
  const straight = h2o.start(methodContext(text!, 40), parameters);
  await read(straight, text!, 0, 20);
  const wanted = await readAll(straight, text!, 20, 60);
  straight.dispose();
  // While everything is there yet, and after tokens have been dropped.
  for (const place of [20, 33]) {
    const run = h2o.start(methodContext(text!, 40), parameters);
    run.mark();
    await read(run, other!, 0, 20);
    run.rewind();
    await read(run, text!, 0, 20);
    await readAll(run, text!, 20, place);
    run.mark();
    for (const strayed of [1, 2, 9]) {
      await readAll(run, other!, place, place + strayed);
      run.rewind();
    }
    expect(await readAll(run, text!, place, 60)).toEqual(wanted.slice(place - 20));
    run.dispose();
  }
  expect(ops.memory().bytes, 'nothing stays').toBe(before);
});

it('drops nothing as long as there is room', async () => {
  const shape = { tokens: 30, queryHeads: 2, keyValueHeads: 1, headDimension: 4 };
  const text = recordText(createCpuOps(), shape, randomLayers(shape, 1, 8));
  const given = { heavyTokens: 10, recentTokens: 10, prefillTokens: 4 };
  const parameters = resolveParameters(h2o, given, contextOf(text));
  const request = { text, method: h2o, parameters, traceIndex: 0, evictAt: 30, withScores: false };
  const { blocks } = await selectAll(request);
  for (const { block, kept } of blocks) {
    const seen = kept.sets.map((_, set) => visibleTokens(kept, set, block.start).length);
    expect(new Set(seen)).toEqual(new Set([Math.min(block.start, 20)]));
    const place = { position: block.end - 1, block, evictAt: 30, promptEnd: 30 };
    expect(h2o.cost(parameters, contextOf(text), 0, place).keptKeys).toBe(seen[0]! + block.end - block.start);
  }
});

it.each([
  // First block, heavy, recent: tokens come in before the cut, at it, after it; nothing is kept for long; all fits.
  [4, 9, 8],
  [17, 9, 8],
  [18, 9, 8],
  [30, 9, 8],
  [10, 5, 0],
  [10, 0, 5],
  [10, 0, 0],
  [10, 40, 20],
])(
  'chooses in one pass what it chooses token by token: %i, %i, %i',
  async (prefillTokens, heavyTokens, recentTokens) => {
    const shape = { tokens: 60, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
    const ops = createCpuOps();
    const text = recordText(ops, shape, randomLayers(shape, 1, 6));
    const parameters = resolveParameters(h2o, { heavyTokens, recentTokens, prefillTokens }, contextOf(text));
    const before = ops.memory().bytes;
    const read = async (inOnePass: boolean) => {
      const started = await startTraceRun(text, h2o, parameters, 40);
      const run = inOnePass ? started.run : { ...started.run, each: undefined };
      const chosen = [];
      for (const made of choose({ ...started, run }, text.layerTraces[0]!, started.blocks, undefined)) {
        for (const [i, selection] of made.selections.entries()) {
          const read = await readScores(ops, selection, shape.tokens);
          // −1: not scored.
          const scores = read?.map((row) => row.map((score) => (Number.isNaN(score) ? -1 : score)));
          const { candidates, rangeStart, decidedBy } = selection;
          const kept = await readKept(ops, selection);
          chosen.push({ block: made.blocks[i], kept, scores, candidates, rangeStart, decidedBy });
        }
        for (const { owned } of made.selections) ops.release(...owned);
      }
      started.dispose();
      return chosen;
    };
    const [together, apart] = [await read(true), await read(false)];
    const withoutScores = (all: typeof apart) => all.map(({ scores: _, ...rest }) => rest);
    expect(withoutScores(together)).toEqual(withoutScores(apart));
    for (const [i, { scores }] of apart.entries()) {
      for (const [set, row] of (scores ?? []).entries()) expectClose(together[i]!.scores![set]!, row);
    }
    expect(ops.memory().bytes, 'nothing stays').toBe(before);
  },
);
