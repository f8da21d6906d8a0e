import { expect, it } from 'vitest';
import { checkMeasurement } from '../../src/measure/finite';
import { LayerSums } from '../../src/measure/layer-sums';
import { Curve } from '../../src/measure/sweep-curve';
import { FULL_AS_TRAINED, full } from '../../src/methods/full';

const sound = () => {
  const sums = new LayerSums(2);
  for (const head of sums.heads) head.massRecall.add(0.5);
  return sums.result(3);
};

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'a measurement that is %d is refused with its name and place',
  (value) => {
    const measured = sound();
    const [head, other] = measured.heads;
    const ofHead = (change: object) => ({ ...measured, heads: [head!, { ...other!, ...change }] });
    for (const [change, name] of [
      [{ massRecall: value }, 'mass recall'],
      [{ ownMassRecall: value }, 'mass recall under its own positions'],
      [{ topkRecall: value }, 'top-k recall'],
      [{ topkChance: value }, 'chance level of top-k recall'],
      [{ outputError: value }, 'output error'],
      [{ outputErrorAsRun: value }, 'output error as run'],
    ] as const)
      expect(() => checkMeasurement('oracle', ofHead(change))).toThrow(
        `oracle: the ${name} of layer 3, head 1 is ${value}: `,
      );
    for (const [change, name] of [
      [{ outputErrorProjected: value }, 'output error after W_O'],
      [{ selectorRecall: value }, 'selector recall'],
      [{ selectorRecallPerQuery: value }, 'selector recall per query'],
      [{ keptShare: value }, 'kept percentage'],
    ] as const)
      expect(() => checkMeasurement('oracle', { ...measured, ...change })).toThrow(
        `oracle: the ${name} of layer 3 is ${value}: `,
      );
    const curve = new Curve({ method: full, parameters: FULL_AS_TRAINED, current: true }, [0.5, 1]);
    expect(() => curve.check(4, [0.5, value])).toThrow(
      "full: the sweep's mass recall of layer 4 is no number",
    );
  },
);

it('numbers and null are not', () => {
  expect(() => checkMeasurement('oracle', sound())).not.toThrow();
  const curve = new Curve({ method: full, parameters: FULL_AS_TRAINED, current: true }, [0.5, 1]);
  expect(() => curve.check(4, [0, 1])).not.toThrow();
});
