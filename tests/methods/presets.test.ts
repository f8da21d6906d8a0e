/** Which presets methods have, and that their values are ones. */
import { describe, expect, it } from 'vitest';
import { methodById, methods } from '../../src/methods';
import { type ParameterContext, resolveParameters } from '../../src/methods/parameters';
import { type Preset, presetsOf } from '../../src/methods/presets';
import { bundledModelFacts } from '../../src/study/context';

const bundled: ParameterContext = { ...bundledModelFacts, tokens: 1024 };
/** The papers' own: text and model are large enough for all values. */
const large: ParameterContext = {
  ...{ tokens: 65_536, trainedTokens: 131_072, layers: 32 },
  ...{ queryHeads: 32, keyValueHeads: 8, headDimension: 128 },
};

const namesOf = (id: string): Preset['name'][] => presetsOf(methodById(id), bundled).map(({ name }) => name);

const WITHOUT_PAPER: Readonly<Record<string, string>> = {
  full: 'what all are measured against',
  lrsa: 'only its abstract is open, which gives no sizes',
  'chunkkv-entropy': 'the gate is kvpress’s own',
  'observed-attention': 'its paper’s cache is H2O’s, a method of its own here',
  knorm: 'has no parameter but the fraction',
  keydiff: 'has no parameter but the fraction',
  chunk: 'kvpress’s own',
  streaming: 'kvpress’s own',
  merging: 'kvpress’s own',
  oracle: 'nobody’s',
  random: 'nobody’s',
  sentences: 'nobody’s',
};

const NOT_IN_KVPRESS = [
  ...['full', 'grouped-positions', 'esa', 'lrsa', 'freqkv', 'lorc', 'quest', 'sparq', 'loki', 'tokenselect'],
  ...['infllm', 'squeezed-attention', 'minference', 'h2o', 'cascading-kv', 'oracle', 'sentences'],
];

describe('presets', () => {
  it('are scaled, as in the paper and kvpress’s, but where there is nothing of the kind', () => {
    for (const { id } of methods) {
      const wanted = [
        'scaled',
        ...(id in WITHOUT_PAPER ? [] : ['paper']),
        ...(NOT_IN_KVPRESS.includes(id) ? [] : ['kvpress']),
      ];
      expect(namesOf(id), id).toEqual(wanted);
    }
  });

  it('have values that go together in the texts and models that they are meant for', () => {
    for (const method of methods)
      for (const { name, parameters } of presetsOf(method, large)) {
        const resolve = () => resolveParameters(method, parameters, large);
        expect(resolve, `${method.id}, ${name}`).not.toThrow();
        for (const [of, value] of Object.entries(method.presets?.kvpress?.parameters ?? {}))
          if (name === 'kvpress') expect(parameters[of], `${method.id}, ${of}`).toBe(value);
      }
  });

  it('cut counts to what a text allows, and fill in defaults', () => {
    const [, paper] = presetsOf(methodById('esa'), bundled);
    expect(paper!.parameters).toMatchObject({ projection: 'learned', compressedDim: 64, initTokens: 128 });
    expect(paper!.parameters).toMatchObject({ chunkTokens: 128, scoreQuery: 'rotated' });
  });

  it('name the place of eviction where their source has one', () => {
    const places = (id: string) => presetsOf(methodById(id), bundled).map(({ evictAfter }) => evictAfter);
    expect(places('snapkv')).toEqual(['context', 'question', 'context']);
    expect(places('tova')).toEqual(['context', 'question', 'context']);
    expect(places('finch')).toEqual(['context', 'question', 'question']);
    expect(places('kvzip')).toEqual(['context', 'context', 'context']);
    expect(places('esa')).toEqual([null, null]);
    const elsewhere = methods.filter(({ presets }) => presets?.kvpress?.evictAfter === 'question');
    expect(elsewhere.map(({ id }) => id)).toEqual(['finch']);
  });
});
