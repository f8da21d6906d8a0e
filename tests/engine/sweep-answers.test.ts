import { expect, test } from 'vitest';
import { type ResolvedMethod, resolve } from '../../src/engine/resolve';
import { SweepAnswers } from '../../src/engine/sweep-answers';
import { SWEEP_FRACTIONS } from '../../src/measure/sweep';
import { esa } from '../../src/methods/esa';
import { streamingLlm } from '../../src/methods/streaming-llm';
import type { CurveAnswers } from '../../src/study/results';

const context = {
  ...{ tokens: 1024, trainedTokens: 1024, layers: 8, queryHeads: 6, keyValueHeads: 1, headDimension: 32 },
};
const streaming = resolve({ id: streamingLlm.id, parameters: {} }, context);
const signal = new AbortController().signal;

/** Runs the answers of a text; right is what keeps at least a quarter. */
async function ask(
  answers: SweepAnswers,
  text: string,
  method: ResolvedMethod,
  change: Partial<Parameters<SweepAnswers['run']>[0]> = {},
) {
  const asked: ResolvedMethod[] = [];
  const told: CurveAnswers[] = [];
  const request = {
    ...{ text, context, signal, methods: [method], others: [] },
    places: { evictAt: 950, answerStart: null },
    isRight: async (at: ResolvedMethod) => {
      asked.push(at);
      return Number(at.parameters.keepFraction) >= 0.25;
    },
    onCurve: (curve: CurveAnswers) => told.push(curve),
  };
  await answers.run({ ...request, ...change });
  return { asked, told };
}

test('every point is run once for a text, with its own parameters', async () => {
  const answers = new SweepAnswers();
  const { asked, told } = await ask(answers, 'a', streaming);
  expect(asked).toHaveLength(12);
  expect(new Set(asked.map(({ parameters }) => parameters.keepFraction)).size).toBe(12);
  expect(told).toHaveLength(13);
  expect(told.map(({ done }) => done)).toEqual([...Array(13).keys()]);
  const last = told[12];
  expect(last).toMatchObject({ method: streaming.spec, done: 12, total: 12 });
  expect(last!.rights.map(({ keep }) => keep)).toEqual([...SWEEP_FRACTIONS]);
  const smallest = asked.filter(({ parameters }) => Number(parameters.keepFraction) < 0.25).length;
  expect(smallest).toBeGreaterThan(0);
  expect(last!.rights.map(({ right }) => right)).toEqual(
    Array.from({ length: 12 }, (_, at) => at >= smallest),
  );

  const again = await ask(answers, 'a', streaming);
  expect(again.asked).toEqual([]);
  expect(again.told.at(-1)).toEqual(last);
  expect((await ask(answers, 'b', streaming)).asked).toHaveLength(12);
});

test('what other runs have found out is not run again, what is below the floor never', async () => {
  const answers = new SweepAnswers();
  const method = resolve({ id: esa.id, parameters: {} }, context);
  const fits = SWEEP_FRACTIONS.filter(
    (keep) =>
      'parameters' in esa.withBudget(method.parameters, context, keep, { evictAt: 950, answerStart: null }),
  );
  expect(fits.length).toBeGreaterThan(2);
  expect(fits.length).toBeLessThan(12);
  const first = await ask(answers, 'a', method);
  expect(first.told.at(-1)!.rights.map(({ keep }) => keep)).toEqual(fits);
  const other = new SweepAnswers();
  other.note('a', first.asked[1]!, true);
  const rest = await ask(other, 'a', method);
  expect(rest.asked.map(({ spec }) => spec)).toEqual(
    first.asked.filter((_, at) => at !== 1).map(({ spec }) => spec),
  );
});

test('a point that cannot be run stays open, and a change ends all', async () => {
  const answers = new SweepAnswers();
  let calls = 0;
  const half = await ask(answers, 'a', streaming, {
    isRight: async () => (++calls % 2 === 0 ? null : true),
  });
  expect(half.told.at(-1)).toMatchObject({ done: 6, total: 12 });
  const controller = new AbortController();
  await expect(
    ask(answers, 'b', streaming, {
      signal: controller.signal,
      isRight: async () => {
        controller.abort(new Error('overtaken'));
        return true;
      },
    }),
  ).rejects.toThrow('overtaken');
  // Of other curves what is known is told, and nothing is run.
  const told = await ask(answers, 'a', streaming, { methods: [], others: [streaming] });
  expect(told.asked).toEqual([]);
  expect(told.told.map(({ rights }) => rights.length)).toEqual([6]);
});
