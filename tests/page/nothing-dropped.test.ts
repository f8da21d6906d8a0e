import { describe, expect, it } from 'vitest';
import type { LayerMeasurement } from '../../src/measure/results';
import { methodById } from '../../src/methods';
import type { Method } from '../../src/methods/method';
import type { ParameterContext } from '../../src/methods/parameters';
import { resolveParameters } from '../../src/methods/parameters';
import { fixedRoom, nothingDropped } from '../../src/page/nothing-dropped';
import { bundledModelFacts } from '../../src/study/context';

const context: ParameterContext = { ...bundledModelFacts, tokens: 1024 };
const places = { evictAt: 980, answerStart: 1000 };

const studyOf = (id: string, given: Record<string, unknown>) => {
  const method = methodById(id);
  return { method, parameters: resolveParameters(method, given, context), context, places };
};
const roomOf = (id: string, given: Record<string, unknown>) => fixedRoom(studyOf(id, given))?.keys ?? null;

describe('what a method has room for, by formula', () => {
  it('is its fixed size, where this text does not fill it', () => {
    expect(roomOf('snapkv', { variant: 'official', capTokens: 1024 })).toBe(1024);
    expect(roomOf('cascading-kv', { sinkTokens: 64, cascadeTokens: 512 })).toBe(2112);
    expect(roomOf('h2o', { heavyTokens: 600, recentTokens: 500 })).toBe(1100);
    expect(roomOf('streaming', { base: 'knorm', cacheTokens: 2048, everyTokens: 1 })).toBe(2048);
    expect(roomOf('sparq', { selectedTokens: 2000 })).toBe(2001);
    expect(roomOf('quest', { budgetTokens: 2048 })).toBe(2048);
  });

  it('is nothing where a share stays, where the text is dropped from, and where all stays', () => {
    expect(roomOf('knorm', { keepFraction: 1 })).toBeNull();
    expect(roomOf('snapkv', { variant: 'official', capTokens: 512 })).toBeNull();
    expect(roomOf('duo-attention', { sinkTokens: 1024 })).toBeNull();
    expect(roomOf('minference', { verticalTokens: 1024, slashDiagonals: 1024 })).toBeNull();
    expect(roomOf('full', {})).toBeNull();
  });
});

it('says which layer it has room for, where they differ, and in the plain words where they do not', () => {
  const layers = Array.from({ length: context.layers }, () => ({ keptShare: 1 }) as LayerMeasurement);
  const said = (capTokens: number | number[]) =>
    nothingDropped(studyOf('snapkv', { variant: 'official', capTokens }), layers);
  expect(said(1024)).toBe('SnapKV keeps up to 1,024 keys; this text has 1,024: nothing is dropped.');
  const uneven = [1024, ...Array(context.layers - 1).fill(4096)];
  expect(said(uneven)).toBe(
    'SnapKV keeps up to 1,024 keys in the layer with fewest; this text has 1,024: nothing is dropped.',
  );
});

it('is looked for in texts of bounded length, once for all who ask', () => {
  const h2o = methodById('h2o');
  const long = { ...context, tokens: 32_768 };
  const parameters = resolveParameters(h2o, { heavyTokens: 32_768, recentTokens: 1024 }, long);
  const lengths: number[] = [];
  const noting: Method = {
    ...h2o,
    blocks: (given, tokens, ...others) => {
      lengths.push(tokens);
      return h2o.blocks(given, tokens, ...others);
    },
  };
  const ask = (method: Method) =>
    fixedRoom({ method, parameters, context: { ...long }, places: { evictAt: 32_000, answerStart: null } });
  expect(ask(noting)).toEqual({ keys: 33_792, isOfAllLayers: true });
  expect(ask(noting)).toEqual({ keys: 33_792, isOfAllLayers: true });
  expect(lengths.splice(0)).toEqual([32_768, 65_536, 131_072]);
  const cost: Method['cost'] = (given, its, layer, query) => ({
    ...h2o.cost(given, its, layer, query),
    keptKeys: query.position + 1,
  });
  expect(ask({ ...noting, id: 'endless', cost })).toBeNull();
  expect(lengths).toEqual([32_768, 65_536]);
});
