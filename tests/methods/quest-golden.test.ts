import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { readKept, readScoreRows } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { resolveParameters } from '../../src/methods/parameters';
import { quest } from '../../src/methods/quest';
import { draw, lcg } from '../golden/lcg';
import { expectClose } from './agreement';
import { randomLayers, recordText } from './recorded';

/** QUEST-1: `LCG(31)`, q [2, 1, 4], then k [2, 22, 4]; pages of 4, a budget of 8. Computed with the official code. */
const quest1 = {
  ...{ tokens: 22, heads: 2, channels: 4, pageTokens: 4, budgetTokens: 8 },
  scores: [
    [1.792222, 1.634984, 1.753948, 2.026112, 1.082922, 0.796788],
    [1.690285, 1.810468, 1.761074, 2.157255, 2.12407, 0.325825],
  ],
  pages: [
    [0, 2, 3],
    [1, 3, 4],
  ],
};

const { tokens, heads, channels, pageTokens, budgetTokens } = quest1;

/** A text whose last query is the one drawn. */
function textOf() {
  const next = lcg(31);
  const [last, key] = [draw(next, heads * channels), draw(next, heads * tokens * channels)];
  const query = new Float32Array(heads * tokens * channels);
  for (let head = 0; head < heads; head++) {
    query.set(last.subarray(head * channels, (head + 1) * channels), (head * tokens + tokens - 1) * channels);
  }
  const shape = { tokens, queryHeads: heads, keyValueHeads: heads, headDimension: channels };
  return recordText(createCpuOps(), shape, [{ query, key, value: key }], { rope: null });
}

it('QUEST-1: scores of pages, and the best three', async () => {
  const text = textOf();
  const parameters = resolveParameters(quest, { pageTokens, budgetTokens, denseLayers: 0 }, contextOf(text));
  const { run, blocks, inputOf } = await startTraceRun(text, quest, parameters, tokens);
  expect(blocks.at(-1)).toEqual({ start: tokens - 1, end: tokens });
  const selection = run.select(inputOf(text.layerTraces[0]!, blocks.at(-1)!));
  const scores = await readScoreRows(text.ops, selection.score!.rows);
  const { sets, rangeStart } = await readKept(text.ops, selection);
  for (let head = 0; head < heads; head++) {
    expectClose(scores[head]!, quest1.scores[head]!);
    const chosen = quest1.pages[head]!.flatMap((page) => [0, 1, 2, 3].map((i) => pageTokens * page + i));
    expect([...sets[head]!]).toEqual(chosen);
  }
  expect(rangeStart, 'the query does not see itself for certain').toBe(tokens);
});

describe('the running page', () => {
  it('is scored by the keys that are there, not by later ones or by padding', async () => {
    const shape = { tokens: 30, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
    const [layer] = randomLayers(shape, 1, 3);
    const ops = createCpuOps();
    const scoresAt = async (from: number): Promise<Float32Array[]> => {
      // What comes after query 21 differs, and would win every score.
      const key = layer!.key.map((value, i) => (Math.floor(i / 8) % 30 > 21 ? from * value : value));
      const text = recordText(ops, shape, [{ ...layer!, key }]);
      // Three pages are the fewest, of five here.
      const parameters = resolveParameters(
        quest,
        { pageTokens: 5, budgetTokens: 8, denseLayers: 0, share: 'group' },
        contextOf(text),
      );
      const { run, inputOf } = await startTraceRun(text, quest, parameters, 20);
      const selection = run.select(inputOf(text.layerTraces[0]!, { start: 21, end: 22 }));
      return readScoreRows(ops, selection.score!.rows);
    };
    const [few, many] = [await scoresAt(1), await scoresAt(1000)];
    expect(few.map(({ length }) => length)).toEqual([5, 5]);
    expect(many).toEqual(few);
  });
});

describe('a budget', () => {
  const context = {
    tokens: 1000,
    trainedTokens: null,
    layers: 2,
    queryHeads: 4,
    keyValueHeads: 2,
    headDimension: 8,
  };
  const fitted = (given: Record<string, unknown>, keepFraction: number) =>
    quest.withBudget(resolveParameters(quest, given, context), context, keepFraction, {
      evictAt: 900,
      answerStart: null,
    });

  it('is ⌊f·T⌋ tokens, three pages at least', () => {
    expect(fitted({}, 0.1)).toMatchObject({ parameters: { budgetTokens: 100 } });
    expect(fitted({}, 0.048)).toMatchObject({ parameters: { budgetTokens: 48 } });
    expect(fitted({}, 0.047)).toEqual({ floor: 0.048 });
    expect(fitted({ pageTokens: [4, 32] }, 0.05)).toEqual({ floor: 0.096 });
  });
});
