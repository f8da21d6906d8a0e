import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countSteps, fractionSteps } from '../../components/method/slider-steps';
import { budgetOfKey } from '../../components/results/budget-keyboard';
import { methods } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { defaultSession } from '../../src/page/choices';
import { followedNames } from '../../src/page/dependent-defaults';
import { valueProblem } from '../../src/page/parameter-errors';
import { parameterContext } from '../../src/study/context';
import type { FindMethod } from '../../src/study/default-study';
import { syntheticText } from '../page/synthetic';

const findMethod: FindMethod = (id) => methods.find((method) => method.id === id) ?? null;
const contextOf = (tokens: number) => ({
  ...parameterContext({ kind: 'text', text: '' }, null, null),
  tokens,
});

/** One key below 64, at most 3 % above. */
function expectFine(before: number, after: number): void {
  expect(after - before, `${before} to ${after}`).toBeLessThanOrEqual(Math.max(1, before * 0.03));
  expect(after).toBeGreaterThan(before);
}

describe('the stops of a slider', () => {
  it('of a count: a key below 64, at most 3 % above, both ends and the value', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 41, max: 32_768 }),
        fc.integer({ min: 0, max: 32_768 }),
        (minimum, maximum, value) => {
          const stops = countSteps(minimum, maximum, value);
          expect(stops[0]).toBe(minimum);
          expect(stops.at(-1)).toBe(maximum);
          if (value >= minimum && value <= maximum) expect(stops).toContain(value);
          for (const [at, stop] of stops.slice(1).entries()) expectFine(stops[at]!, stop);
          expect(stops.length).toBeLessThan(420);
        },
      ),
    );
    expect(countSteps(0, 1024, 128)).toEqual(expect.arrayContaining([63, 64, 65, 128, 256, 512]));
  });

  it('of a width that needs a middle: odd numbers, both ends and what was typed', () => {
    expect(countSteps(1, 12, 4, true)).toEqual([1, 3, 4, 5, 7, 9, 11]);
    expect(countSteps(1, 255, 5, true).filter((stop) => stop % 2 === 0)).toEqual([]);
  });

  it('of a kept fraction: the same in keys of the text', () => {
    for (const whole of [128, 1024, 4096]) {
      const counts = fractionSteps(0, 1, 0.25, whole).map((stop) => Math.floor(stop * whole));
      for (const [at, count] of counts.slice(1).entries()) {
        if (count !== counts[at]) expectFine(counts[at]!, count);
      }
      expect(new Set(counts)).toContain(Math.floor(0.25 * whole));
    }
    expect(fractionSteps(0, 1, 0.5)).not.toContain(0.0313);
  });
});

describe('the stops of every method', () => {
  const lists = methods.flatMap(({ id, parameters }) =>
    Object.entries(parameters).flatMap(([name, schema]) =>
      schema.kind === 'count' ? [[id, name, schema] as const] : [],
    ),
  );

  it.each(lists)(
    '%s, %s: what the slider offers is what the parameter takes by itself',
    (id, name, schema) => {
      const context = contextOf(1024);
      const method = findMethod(id)!;
      const { [name]: value } = resolveParameters(method, {}, context);
      const stops = countSteps(schema.minimum, schema.maximum(context), Number(value), schema.isOdd);
      for (const stop of stops) {
        expect(valueProblem(method, name, stop, context)).toBeNull();
        if (name === 'poolKernel')
          expect(() => resolveParameters(method, { [name]: stop }, context)).not.toThrow();
      }
    },
  );
});

describe('what is said of a typed percentage', () => {
  it('is in per cent, as it was typed', () => {
    const say = (value: number) => valueProblem(findMethod('tova')!, 'keepFraction', value, contextOf(1024));
    expect(say(-0.01)).toBe('tova: keepFraction must be from 0 to 100 %, not -1 %.');
    expect(say(1.1)).toBe('tova: keepFraction must be from 0 to 100 %, not 110 %.');
    expect(say(0.5)).toBeNull();
  });
});

describe('keys at the point of a study', () => {
  const usual = defaultSession(findMethod, () => contextOf(1024));
  const text = syntheticText(usual);
  const pressed = (id: string, given: Record<string, unknown>, key: string) => {
    const method = findMethod(id)!;
    const context = contextOf(1024);
    const parameters = resolveParameters(method, given, context);
    const session = { ...usual, method: { id, parameters } };
    const keep = budgetOfKey(key, { method, context, session, text }, 0.3);
    const result =
      keep === null
        ? null
        : method.withBudget(parameters, context, keep, {
            evictAt: text.queries.start,
            answerStart: text.answerStart,
          });
    return { before: parameters, after: result && 'parameters' in result ? result.parameters : null, keep };
  };

  it('move ESA by a key or 3 % of what it keeps, not by a hundred', () => {
    const { before, after } = pressed('esa', { selectedTokens: 2 }, 'ArrowRight');
    const [kept, now] = [before, after!].map(
      (each) => Number(each.selectedTokens) + Number(each.initTokens) + Number(each.localTokens),
    );
    expectFine(kept!, now!);
    expect(after!.selectedTokens).toBe(6);
    expect(pressed('esa', { selectedTokens: 6 }, 'ArrowLeft').after!.selectedTokens).toBe(2);
  });

  it('move a small budget by one key', () => {
    const { after } = pressed('oracle', { keepFraction: 40 / 1024 }, 'ArrowUp');
    expect(Math.floor(Number(after!.keepFraction) * 1024)).toBe(41);
  });

  it('move LagKV on to the next number of keys of a partition', () => {
    const { before, after } = pressed('lagkv', { keepFraction: 0.25 }, 'ArrowRight');
    const lag = Number(before.lagTokens);
    expect(Math.floor(Number(after!.keepFraction) * lag)).toBe(Math.floor(0.25 * lag) + 1);
  });

  it('go ten steps, to the least and to all', () => {
    expect(Math.floor(pressed('oracle', { keepFraction: 10 / 1024 }, 'PageUp').keep! * 1024)).toBe(20);
    expect(Math.floor(pressed('oracle', { keepFraction: 10 / 1024 }, 'PageDown').keep! * 1024)).toBe(0);
    expect(pressed('oracle', {}, 'End').keep).toBe(1);
    expect(pressed('oracle', {}, 'Home').keep).toBe(0);
    expect(pressed('oracle', {}, 'a').keep).toBeNull();
  });
});

describe('a parameter that follows another', () => {
  const esa = findMethod('esa')!;
  const context = contextOf(1024);
  const parameters = resolveParameters(esa, {}, context);
  it('is named as long as it does', () => {
    expect(followedNames(esa, 'globalPosition', parameters, context)).toEqual(['localTokens']);
    const chosen = { ...parameters, globalPosition: 300 };
    expect(followedNames(esa, 'globalPosition', chosen, context)).toEqual([]);
    expect(followedNames(esa, 'localTokens', parameters, context)).toEqual([]);
    const perLayer = {
      ...parameters,
      localTokens: [1, 2, 3, 4, 5, 6, 7, 8],
      globalPosition: [1, 2, 3, 4, 5, 6, 7, 8],
    };
    expect(followedNames(esa, 'globalPosition', perLayer, context)).toEqual(['localTokens']);
  });
});
