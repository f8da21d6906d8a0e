/** Which presets methods have, and that their values are ones. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { methodById, methods } from '../../src/methods';
import { completeParameters, type ParameterContext, resolveParameters } from '../../src/methods/parameters';
import { type Preset, presetsOf } from '../../src/methods/presets';
import { bundledModelFacts } from '../../src/study/context';

const bundled: ParameterContext = { ...bundledModelFacts, tokens: 1024 };
/** The papers' own: text and model are large enough for all values. */
const large: ParameterContext = {
  ...{ tokens: 65_536, trainedTokens: 131_072, layers: 32 },
  ...{ queryHeads: 32, keyValueHeads: 8, headDimension: 128 },
};

const documented = readFileSync(new URL('../../docs/methods.md', import.meta.url), 'utf8');

const namesOf = (id: string): Preset['name'][] => presetsOf(methodById(id), bundled).map(({ name }) => name);

const NOT_IN_KVPRESS = [
  ...['full', 'grouped-positions', 'esa', 'lrsa', 'freqkv', 'lorc', 'quest', 'sparq', 'loki', 'tokenselect'],
  ...['infllm', 'squeezed-attention', 'minference', 'h2o', 'cascading-kv', 'oracle', 'sentences'],
];

describe('presets', () => {
  it('are scaled, as in paper or code where docs/methods.md has read one, and kvpress’s where it has the method', () => {
    for (const { id, parameters, presets } of methods) {
      const section = documented.split(`\n## ${id}\n`)[1]!.split('\n## ')[0]!;
      const [head] = section.split(/\bFiles?:/);
      const hasValues = Object.values(parameters).some(({ paper }) => paper !== undefined);
      const from = /\*paper\b/.test(head!) ? 'paper' : /\*code\*/.test(head!) ? 'code' : null;
      const wanted = [
        'scaled',
        ...(from && hasValues ? [from] : []),
        ...(presets?.kvpress?.parameters ? ['kvpress'] : []),
      ];
      expect(presets?.kvpress === undefined, id).toBe(NOT_IN_KVPRESS.includes(id));
      expect(namesOf(id), id).toEqual(wanted);
    }
  });

  it('have values that go together in the texts and models that they are meant for', () => {
    for (const method of methods)
      for (const { name, parameters } of presetsOf(method, large)) {
        const defaults = completeParameters(method, {}, large);
        const resolve = () => resolveParameters(method, { ...defaults, ...parameters }, large);
        expect(resolve, `${method.id}, ${name}`).not.toThrow();
        for (const [of, value] of Object.entries(method.presets?.kvpress?.parameters ?? {}))
          if (name === 'kvpress') expect(parameters[of], `${method.id}, ${of}`).toBe(value);
      }
  });

  it('cut counts to what a text allows', () => {
    const [, paper] = presetsOf(methodById('esa'), bundled);
    expect(paper!.parameters).toMatchObject({ projection: 'learned', compressedDim: 64, initTokens: 128 });
  });

  it('state what their source does and nothing else: no fraction, where it has none', () => {
    const stated = (id: string) =>
      Object.fromEntries(
        presetsOf(methodById(id), bundled).map(({ name, parameters }) => [name, Object.keys(parameters)]),
      );
    expect(stated('snapkv').kvpress).toEqual(['variant', 'windowTokens', 'poolKernel']);
    expect(stated('snapkv').scaled).toEqual(Object.keys(methodById('snapkv').parameters));
    expect(stated('lagkv').paper).toContain('keepFraction');
    for (const { id } of methods) expect(stated(id).kvpress ?? [], id).not.toContain('keepFraction');
  });

  it('say which do the same here', () => {
    const same = (id: string) => presetsOf(methodById(id), bundled).map(({ sameAs }) => sameAs);
    expect(same('kvzip')).toEqual([null, 'scaled']);
    expect(same('streaming-llm')).toEqual([null, 'scaled', 'scaled']);
    expect(same('snapkv')).toEqual([null, null, null]);
    // The same values, and evicts after the question.
    expect(same('finch')).toEqual([null, null]);
  });

  it('name the place of eviction where their source has one', () => {
    const places = (id: string) => presetsOf(methodById(id), bundled).map(({ evictAfter }) => evictAfter);
    expect(places('snapkv')).toEqual(['context', 'question', 'context']);
    expect(places('tova')).toEqual(['context']);
    expect(places('finch')).toEqual(['context', 'question']);
    expect(places('kvzip')).toEqual(['context', 'context']);
    expect(places('esa')).toEqual([null, null]);
    const elsewhere = methods.filter(({ presets }) => presets?.kvpress?.evictAfter === 'question');
    expect(elsewhere.map(({ id }) => id)).toEqual(['finch']);
  });
});
