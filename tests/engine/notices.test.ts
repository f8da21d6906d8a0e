import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { gatherNotices, lengthNotices, methodNotices } from '../../src/engine/notices';
import { selectAll } from '../../src/measure/select-all';
import { methodById } from '../../src/methods';
import type { MethodContext, MethodRun } from '../../src/methods/method';
import { runNotices } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import { recordText } from '../methods/recorded';

const context = {
  tokens: 5000,
  trainedTokens: 4096,
  layers: 2,
  queryHeads: 2,
  keyValueHeads: 1,
  headDimension: 8,
};
const esa = methodById('esa');
const parameters = resolveParameters(esa, { projection: 'learned' }, context);

it('says of a text what its length means, where it is known', () => {
  expect(lengthNotices(4096, 4096)).toEqual([]);
  expect(lengthNotices(9999, null)).toEqual([]);
  expect(lengthNotices(5000, 4096)).toEqual([
    'The text has 5,000 tokens and the model was trained on 4,096: beyond them full attention is no reference.',
  ]);
});

it('gathers source, length, method and run in this order, no sentence twice', async () => {
  const notes = esa.notes?.(parameters, context) ?? [];
  expect(notes.length).toBeGreaterThan(0);
  const run = {
    notices: ['Assumed.'],
    lateNotices: async () => ['Met.', 'Assumed.'],
  } as unknown as MethodRun;
  const said = await runNotices(run);
  expect(said).toEqual(['Assumed.', 'Met.', 'Assumed.']);
  const all = gatherNotices({ source: ['A bias is not read.'], method: esa, parameters, context, run: said });
  expect(all).toEqual(['A bias is not read.', ...lengthNotices(5000, 4096), ...notes, 'Assumed.', 'Met.']);
  expect(methodNotices(esa, parameters, context, said)).toEqual([...notes, 'Assumed.', 'Met.']);
});

it('hears of a selection what the run met: channels of LagKV without range', async () => {
  const shape = { tokens: 40, queryHeads: 1, keyValueHeads: 1, headDimension: 8 };
  const wave = (i: number): number => Math.sin(7 * i);
  const constant = Float32Array.from({ length: 320 }, (_, i) => (i % 8 === 3 ? 0.5 : wave(i)));
  const tensors = {
    query: Float32Array.from({ length: 320 }, (_, i) => wave(i)),
    key: constant,
    value: constant,
  };
  const text = recordText(createCpuOps(), shape, [tensors], { rope: null });
  const method = methodById('lagkv');
  const given = { sinkTokens: 4, lagTokens: 8, keepFraction: 0.5 };
  const own = { ...context, ...shape, trainedTokens: null, layers: 1 };
  const { notices } = await selectAll({
    ...{ text, method, traceIndex: 0, evictAt: 40, withScores: false },
    parameters: resolveParameters(method, given, own),
  });
  expect(notices).toEqual([expect.stringMatching(/channels had no range in a lag partition/)]);
});

it.each([
  ['snapkv', {}],
  ['adakv', {}],
  ['pyramidkv', { beta: 1 }],
  ['criticalkv', {}],
  ['critical-adakv', {}],
  ['chunkkv', { chunkTokens: 1 }],
  ['chunkkv-entropy', {}],
  ['merging', {}],
  ['finch', {}],
  ['streaming', { base: 'snapkv', everyTokens: 64, cacheTokens: 56 }],
])('says of %s that the window is larger than the budget, and nothing where it is not', (id, more) => {
  const method = methodById(id);
  const said = (windowTokens: number) => {
    const text = { ...context, tokens: 256 };
    const given = { windowTokens, ...(id === 'streaming' ? {} : { keepFraction: 0.25 }), ...more };
    const places = { evictAt: 224, totalTokens: 256, ops: createCpuOps(), rotationOf: () => null };
    const run = method.start(
      { ...text, ...places } as unknown as MethodContext,
      resolveParameters(method, given, text),
    );
    return (run.notices ?? []).filter((sentence) => sentence.includes('window of'));
  };
  expect(said(64)).toEqual([
    'The window of 64 tokens is larger than the budget of 56: not all of it stays, and hardly anything before it. Let more stay, or make the window shorter.',
  ]);
  expect(said(56)).toEqual([]);
});

it('says of FINCH how many tokens stand for the question, wherever it evicts', () => {
  const finch = methodById('finch');
  const said = methodNotices(finch, resolveParameters(finch, { windowTokens: 8 }, context), context);
  expect(said).toContain(
    'The last 8 tokens before the eviction stand for the question, however long it is. kvpress takes all of it: evict after the question, and make Question its length.',
  );
});

it('says of Quest that whole pages leave one out of a text that its budget covers', () => {
  const quest = methodById('quest');
  const isSaid = (given: Record<string, number>, tokens: number): boolean =>
    methodNotices(quest, resolveParameters(quest, given, { ...context, tokens }), {
      ...context,
      tokens,
    }).some((sentence) => sentence.startsWith('The token budget covers this text'));
  expect(isSaid({ budgetTokens: 1024 }, 512)).toBe(true);
  expect(isSaid({ budgetTokens: 511 }, 512)).toBe(false);
  expect(isSaid({ budgetTokens: 1024, pageTokens: 1 }, 512)).toBe(false);
  expect(isSaid({ budgetTokens: 1024, denseLayers: context.layers }, 512)).toBe(false);
  // Three pages are chosen in any case.
  expect(isSaid({ budgetTokens: 1024 }, 48)).toBe(false);
});

it.each(['finch', 'streaming-llm'])('names in the help of positions of %s what kvpress does', (id) => {
  const { positions } = methodById(id).parameters;
  const options = positions!.kind === 'choice' ? positions!.options : [];
  const asKvpress = options.filter(({ help }) => help.includes('kvpress')).map(({ value }) => value);
  expect(asKvpress).toEqual([id === 'finch' ? 'cache' : 'original']);
});
