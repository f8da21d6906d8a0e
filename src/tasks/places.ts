import type { Random } from './random';
import type { NeedleDepth } from './task';

/**
 * Where each needle goes: after how many hay sentences (1 … number of sentences; needles stand at sentence ends).
 *
 * 'spread' divides the text into as many equal parts as there are needles and puts one in each, at a random place and
 * in a random order. With a depth, the needles asked for stand around it and only the others are spread.
 *
 * @param asked one entry a needle
 * @param tokenCounts tokens of each hay sentence: depth is measured in tokens
 */
export function placeNeedles(
  asked: readonly boolean[],
  depth: NeedleDepth,
  tokenCounts: readonly number[],
  random: Random,
): number[] {
  const ends: number[] = [];
  let total = 0;
  for (const tokens of tokenCounts) {
    total += tokens;
    ends.push(total);
  }

  const nearestEnd = (fraction: number): number => {
    let nearest = 0;
    for (let i = 1; i < ends.length; i++) {
      const closer = Math.abs(ends[i]! - fraction * total) < Math.abs(ends[nearest]! - fraction * total);
      if (closer) nearest = i;
    }
    return nearest + 1;
  };

  const isSpread = (index: number): boolean => depth === 'spread' || !asked[index];
  const spread = random.shuffled(asked.flatMap((_, index) => (isSpread(index) ? [index] : [])));
  const places = new Array<number>(asked.length);
  spread.forEach((needle, part) => {
    places[needle] = nearestEnd((part + random.next()) / spread.length);
  });

  if (depth !== 'spread') {
    const together = asked.flatMap((isAsked, index) => (isAsked ? [index] : []));
    const first = nearestEnd(depth) - Math.floor((together.length - 1) / 2);
    together.forEach((needle, offset) => {
      places[needle] = Math.min(Math.max(first + offset, 1), ends.length);
    });
  }
  return places;
}
