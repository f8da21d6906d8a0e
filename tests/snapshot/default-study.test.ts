import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packSnapshot, unpackSnapshot } from '../../src/snapshot/snapshot';

it('the recorded study in samples is of the present form, and packs into the same file again', async () => {
  const file = JSON.parse(readFileSync('samples/studies/default.json', 'utf8'));
  const snapshot = await unpackSnapshot(file);
  expect(snapshot).toMatchObject({ thumbnails: { layers: 8, heads: 6 }, map: { width: 512, height: 512 } });
  const { weights, fates, scores } = snapshot!.row;
  for (const values of [weights, fates, scores]) expect(values).toHaveLength(snapshot!.text.tokens);
  // Levels of weights are restored to what has the same level.
  expect(await packSnapshot(snapshot!)).toEqual(file);
});
