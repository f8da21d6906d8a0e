import { describe, expect, it } from 'vitest';
import { buildText } from '../../src/engine/source';
import { loadTokenizer, type Tokenizer } from '../../src/model/tokenizer/tokenizer';
import type { SourceSpec } from '../../src/study/spec';
import { taskIds } from '../../src/tasks';
import { fileJson } from '../model/files';
import { hay, tokenizer } from '../tasks/hay';

const samples = hay.map((text, at) => ({ id: `text-${at}`, title: `Text ${at}`, text }));
const config = { trainedTokens: 1024, vocabularySize: 2048 };
const build = (source: SourceSpec, made: Tokenizer = tokenizer, startToken: boolean | null = null) =>
  buildText({ source, queriesStart: null, startToken }, made, config, samples);

/** A blank before every text, as Llama 2 has it. */
const { bases } = fileJson('tests/fixtures/tokenizers.json') as { bases: Record<string, object> };
const prepending = loadTokenizer(
  {
    ...bases.marks,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
  },
  { bos_token: '<s>', add_bos_token: true },
);

const sources: SourceSpec[] = [
  ...taskIds.map((task) => ({ kind: 'task', task, tokens: 1024, depth: 'spread', seed: 7 }) as const),
  { kind: 'sample', sample: 'text-0', tokens: 300 },
  { kind: 'sample', sample: 'text-0', tokens: null },
  { kind: 'text', text: '<s> [x] Zwölf\n\n Boxkämpfer, 🐳' },
];

describe('the text of a study as a file', () => {
  it.each(sources)('has the tokens of %j when the command line reads it', (source) => {
    const { ids, facts } = build(source);
    const { saved } = facts;
    expect(tokenizer.encodeText(saved && 'text' in saved ? saved.text : '')).toEqual([...ids]);
  });

  it.each([true, false, null])(
    'has them with a tokenizer that puts a blank before texts, start %s',
    (startToken) => {
      for (const source of sources) {
        const { ids, facts } = build(source, prepending, startToken);
        const { saved } = facts;
        expect(saved).toHaveProperty('text');
        expect(prepending.encodeText((saved as { text: string }).text, startToken)).toEqual([...ids]);
      }
    },
  );

  it('begins with the start token where that is asked for', () => {
    const first = (startToken: boolean | null) =>
      build({ kind: 'text', text: 'a b' }, prepending, startToken).ids[0];
    expect([true, null].map(first)).toEqual([1, 1]);
    expect(first(false)).not.toBe(1);
  });

  it('is its ids where no text has them', () => {
    // Cut between the two halves of a character.
    const whole = build({ kind: 'text', text: 'a 🐳' });
    const last = whole.ids.length - 1;
    const cut = buildText(
      { source: { kind: 'sample', sample: 'whale', tokens: last }, queriesStart: null, startToken: null },
      tokenizer,
      config,
      [{ id: 'whale', title: '', text: 'a 🐳' }],
    );
    expect(cut.facts.saved).toEqual({ ids: [...whole.ids.subarray(0, last)] });
  });
});

describe('tokens that the model lacks', () => {
  it('are refused on the page as on the command line', () => {
    const few = { trainedTokens: 1024, vocabularySize: 300 };
    for (const source of sources)
      expect(() =>
        buildText({ source, queriesStart: null, startToken: null }, tokenizer, few, samples),
      ).toThrow(/^Token \d+ is \d+; this model knows ids from 0 to 299\.$/);
  });
});
