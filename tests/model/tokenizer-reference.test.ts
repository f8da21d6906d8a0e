import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';
import { fileJson } from './files';

interface Case {
  readonly base: string;
  readonly change: object;
  readonly model: object;
  readonly ids: readonly (readonly number[])[];
}

const fixture = fileJson('tests/fixtures/tokenizers.json') as {
  texts: string[];
  bases: Record<string, { model: object }>;
  cases: Case[];
};

describe('ids are those of the reference', () => {
  test.each(
    fixture.cases.map(
      (each) => [`${each.base} ${JSON.stringify({ ...each.change, ...each.model })}`, each] as const,
    ),
  )('%s', (_, { base, change, model, ids }) => {
    const json = { ...fixture.bases[base], ...change };
    const tokenizer = loadTokenizer({ ...json, model: { ...json.model, ...model } });
    for (const [i, text] of fixture.texts.entries())
      expect([text, tokenizer.encodeText(text)]).toEqual([text, ids[i]]);
  });
});
