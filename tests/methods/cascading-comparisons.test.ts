import { expect, it } from 'vitest';
import { comparisonsOf } from '../../src/methods/cascading-kv/comparisons';

it('whom a key lost to follows from the scores, of equals the older going, and one alone loses to none', () => {
  const found = comparisonsOf({
    held: [0, 4, 5],
    scores: [9, 0.5, 0.2, 0.4, 0.5, 0.1],
    firstToken: 6,
    // 6 comes: 5 against 6. 7 comes: nothing is compared. 8 comes: 4 of [0, 4, 6, 7, 8] alone; it goes.
    drops: [2, 4, 0, 0, 1, 2],
  });
  expect(found).toEqual([
    { dropped: 5, stayed: 6 },
    { dropped: 4, stayed: null },
  ]);
  const equal = comparisonsOf({ held: [3], scores: [1, 1], firstToken: 4, drops: [0, 2] });
  expect(equal).toEqual([{ dropped: 3, stayed: 4 }]);
});
