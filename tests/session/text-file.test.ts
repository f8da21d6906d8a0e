import { describe, expect, it } from 'vitest';
import { textOfStudy } from '../../src/session/text-file';
import { buildText } from '../../src/study/source';
import type { SourceSpec } from '../../src/study/types';
import { taskIds } from '../../src/tasks';
import { hay, tokenizer } from '../tasks/hay';

const samples = hay.map((text, at) => ({ id: `text-${at}`, title: `Text ${at}`, text }));
const build = (source: SourceSpec) =>
  buildText({ source, queriesStart: null }, tokenizer, { trainedTokens: 1024 }, samples);

describe('the text of a study as a file', () => {
  it.each([
    ...taskIds.map((task) => ({ kind: 'task', task, tokens: 1024, depth: 'spread', seed: 7 }) as const),
    { kind: 'sample', sample: 'text-0', tokens: 300 } as const,
    { kind: 'text', text: '<s> [x] Zwölf\n\n Boxkämpfer, 🐳' } as const,
  ])('has the tokens of %j when the command line reads it', (source) => {
    const { ids, facts } = build(source);
    expect(tokenizer.encodeWithStart(textOfStudy(source, facts))).toEqual([...ids]);
  });
});
