import { expect, it } from 'vitest';
import { ruleOf } from '../../components/map/ReadOut';
import type { Why } from '../../src/session/why';

const dropped: Why = {
  fate: 'dropped',
  isMissed: false,
  weight: 0.1,
  weightRank: 3,
  visible: 9,
  score: -2,
  scoreRank: 5,
  scored: 8,
  scoreAtCut: -1,
  tied: null,
};

it.each<[string, Partial<Why>]>([
  ['dropped: score below the cut', {}],
  ['missed: score below the cut', { isMissed: true }],
  // ESA: dilation gives neighbours one score, and their own scores decide which of them stay.
  ['dropped: as high as the cut, behind by the score that breaks ties', { score: -1 }],
  ['dropped: lost a tie of 4 at the cut', { score: -1, tied: 4 }],
  ['dropped: the method keeps no such key', { score: null, scoreRank: null }],
  ['kept: selected by its score', { fate: 'selected', score: -1 }],
  ['kept: won a tie of 4 at the cut', { fate: 'selected', score: -1, tied: 4 }],
])('says %s', (sentence, change) => {
  expect(ruleOf({ ...dropped, ...change })).toBe(sentence);
});
