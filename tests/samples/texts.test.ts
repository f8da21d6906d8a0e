import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { sampleTexts } from '../../samples/texts';
import { hay, tokenizer } from '../tasks/hay';

it('lists every text once, with a title', () => {
  const files = readdirSync('samples/texts').filter((name) => name.endsWith('.txt'));
  expect(sampleTexts.map(({ id }) => `${id}.txt`).sort()).toEqual(files.sort());
  expect(new Set(sampleTexts.map(({ title }) => title)).size).toBe(sampleTexts.length);
});

it('has hay that repeats only in the longest tasks, and one short text', () => {
  const lengths = hay.map((text) => tokenizer.encode(text).length);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBeGreaterThan(12_000);
  const short = lengths[sampleTexts.findIndex(({ id }) => id === 'short')];
  expect(short).toBeGreaterThan(150);
  expect(short).toBeLessThan(250);
});

it('has no digits in the texts, which a task could be confused with', () => {
  for (const text of hay) expect(text).not.toMatch(/[0-9]/);
});

it('reads back as it is', () => {
  for (const { id } of sampleTexts) {
    const text = readFileSync(`samples/texts/${id}.txt`, 'utf8');
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  }
});
