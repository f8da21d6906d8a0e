import { describe, expect, it } from 'vitest';
import { methods } from '../../src/methods';
import { promptBlocks, studyBlocks } from '../../src/methods/blocks';
import { type ParameterContext, resolveParameters } from '../../src/methods/parameters';

const context: ParameterContext = {
  tokens: 300,
  trainedTokens: 1024,
  layers: 2,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 8,
};

describe.each(methods.map((method) => [method.id, method] as const))('blocks of %s', (_id, method) => {
  const parameters = resolveParameters(method, {}, context);

  it('read the prompt as the method does, and the answer token by token', () => {
    const places = { tokens: 300, evictAt: 250, answerStart: 283 };
    const prompt = method.blocks(parameters, 283, 250, context);
    expect(promptBlocks(method, parameters, places, context)).toEqual(prompt);
    const answer = Array.from({ length: 17 }, (_, i) => ({ start: 283 + i, end: 284 + i }));
    expect(studyBlocks(method, parameters, places, context)).toEqual([...prompt, ...answer]);
  });

  it('are the method’s own where there is no answer', () => {
    const places = { tokens: 300, evictAt: 250, answerStart: null };
    expect(studyBlocks(method, parameters, places, context)).toEqual(
      method.blocks(parameters, 300, 250, context),
    );
  });

  it('have no hole where the method evicts within the answer', () => {
    const places = { tokens: 300, evictAt: 290, answerStart: 283 };
    const blocks = studyBlocks(method, parameters, places, context);
    expect(blocks.map(({ start }) => start)).toEqual([0, ...blocks.slice(0, -1).map(({ end }) => end)]);
    expect(blocks.at(-1)).toEqual({ start: 299, end: 300 });
  });
});
