/** The small pictures of what methods keep: run again, and as they are drawn. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type CellFate,
  countCells,
  packTriangle,
  runsOf,
  strokesOf,
} from '../../components/method/kept-cells';
import { keptPictures } from '../../components/method/kept-pictures';
import { makeKeptPictures } from '../../scripts/kept-pictures';
import { keptSheet } from '../../scripts/kept-sheet';
import { root } from '../../scripts/setup.mjs';
import { methods } from '../../src/methods';
import { explanations } from '../../src/methods/explanations';

describe('what methods keep of a short text', () => {
  it('is what they keep when `node scripts/pictures.mjs` runs them', async () => {
    expect(await makeKeptPictures()).toEqual(keptPictures);
  });

  it('is drawn of every method but those whose rows are all tokens still', () => {
    const without = methods.filter(({ id }) => !keptPictures.pictures[id]);
    expect(without.map(({ id }) => id)).toEqual(['lorc', 'think']);
    const cells = (id: string) => keptPictures.pictures[id]!.heads.map((head) => countCells(head.cells));
    const { tokens } = keptPictures;
    expect(cells('full')).toEqual([{ unseen: 0, chosen: 0, mixed: 0, placed: (tokens * (tokens + 1)) / 2 }]);
    expect(cells('freqkv')[0]!.mixed).toBeGreaterThan(0);
    // Whatever else they do, methods that spare something leave keys out here.
    const sparing = methods.filter(({ id }) => !['full', 'grouped-positions', 'lorc', 'think'].includes(id));
    const idle = sparing.filter(({ id }) => cells(id).every(({ unseen, mixed }) => unseen + mixed === 0));
    expect(idle.map(({ id }) => id)).toEqual([]);
  });

  it('stands on the sheet of the docs', () => {
    expect(readFileSync(join(root, 'docs/kept.svg'), 'utf8')).toBe(keptSheet(keptPictures));
  });
});

it('every method is explained in two sentences beside its summary, and nothing else is', () => {
  expect(Object.keys(explanations).sort()).toEqual(methods.map(({ id }) => id).sort());
  for (const [id, text] of Object.entries(explanations))
    expect(text.match(/[.!?](?= |$)/g), id).toHaveLength(2);
});

describe('cells of a triangle', () => {
  const triangle: CellFate[][] = [
    ['placed'],
    ['placed', 'placed'],
    ['unseen', 'chosen', 'placed'],
    ['unseen', 'mixed', 'mixed', 'placed'],
  ];
  const packed = packTriangle(triangle);

  it('are packed by column and come back', () => {
    expect(packed).toBe('p2.2 pcm pm p');
    const back = triangle.map((row) => row.map((): CellFate => 'unseen'));
    for (const { token, from, to, fate } of runsOf(packed))
      for (let query = from; query < to; query++) back[query]![token] = fate;
    expect(back).toEqual(triangle);
    expect(() => runsOf('p2.2 pcm pm')).toThrow('no triangle');
  });

  it('are counted, of all queries and of the last', () => {
    expect(countCells(packed)).toEqual({ placed: 5, unseen: 2, chosen: 1, mixed: 2 });
    expect(countCells(packed, 'last query')).toEqual({ placed: 1, unseen: 1, chosen: 0, mixed: 2 });
  });

  it('are drawn by fate, a stroke down each column', () => {
    expect(strokesOf(packed, 'mixed')).toBe('M1.5 3v1M2.5 3v1');
    expect(strokesOf(packed, 'unseen')).toBe('M0.5 2v2');
  });
});
