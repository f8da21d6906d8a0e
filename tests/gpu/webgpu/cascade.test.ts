import { it } from 'vitest';
import type { Ops } from '../../../gpu/ops';
import { compare, describeBoth, inputScores, poisonedIntegers, randomFloats, scoresOut } from './both';

const GAP = 3;

/** Places compared when so many tokens come: none, one, two or all of what is held, near the end and at the front. */
function placesOf(held: number, arriving: number): number[][] {
  let count = held;
  return Array.from({ length: arriving }, (_, i) => {
    const pair = Math.max(0, count - 1 - ((5 * i) % (count + 1)));
    const all = [
      [0, 0],
      [pair, pair + 2],
      [count, count + 1],
      [0, 1],
      [0, 4 * count + 1],
      [pair, pair + 2],
    ];
    const [first, end] = all[i % all.length]!;
    if (first === end) count++;
    return [first!, end!];
  });
}

/** Quarters, so that many are equal, and some infinite ones. */
const quarters = (length: number): Float32Array =>
  randomFloats(length, 5).map((x, i) =>
    i % 23 === 7 ? (i % 2 ? 1 : -1) * Number.POSITIVE_INFINITY : Math.round(4 * x) / 4,
  );

describeBoth('cascade', (backends) => {
  it.each([
    // Sets, held, arriving.
    [1, 0, 1],
    [2, 0, 9],
    [1, 1, 1],
    [3, 31, 12],
    [2, 32, 13],
    [2, 33, 40],
    [1, 255, 9],
    [2, 256, 18],
    [5, 700, 30],
    // A copy; nothing; no sets.
    [2, 70, 0],
    [2, 0, 0],
    [0, 5, 3],
  ])('%i sets that hold %i and take in %i', async (sets, held, arriving) => {
    await compare(backends, (ops: Ops) => {
      const places = placesOf(held, arriving);
      const count = held + places.filter(([first, end]) => first === end).length;
      const lists = (size: number) => ({ offset: 2, sets, count: size, rowStride: size + GAP });
      const before = Uint32Array.from({ length: 2 + sets * (held + GAP) }, (_, i) => 3 * i);
      const out = { ...lists(count), buffer: poisonedIntegers(ops, 2 + sets * (count + GAP)) };
      const outScore = scoresOut(ops, sets, count);
      ops.cascade({
        tokens: { ...lists(held), buffer: ops.upload(before, 'held') },
        firstToken: 1000,
        score: inputScores(ops, sets, held + arriving, quarters(sets * (held + arriving))),
        drops: { buffer: ops.upload(Uint32Array.from([9, ...places.flat()]), 'places'), offset: 1 },
        ...{ out, outScore },
      });
      return { tokens: out.buffer, scores: outScore.buffer };
    });
  });

  it('leaves out what there is no room for', async () => {
    await compare(backends, (ops: Ops) => {
      const buffer = poisonedIntegers(ops, 6);
      const outScore = scoresOut(ops, 1, 5);
      ops.cascade({
        tokens: {
          buffer: ops.upload(Uint32Array.of(0, 1, 2, 3), 'held'),
          offset: 0,
          sets: 1,
          count: 4,
          rowStride: 4,
        },
        firstToken: 7,
        score: inputScores(ops, 1, 8, Float32Array.of(4, 3, 2, 1, 9, 8, 7, 6)),
        // One finds room, two do not, and the last drops another.
        drops: { buffer: ops.upload(Uint32Array.of(0, 0, 1, 1, 5, 2, 2, 4), 'places'), offset: 0 },
        out: { buffer, offset: 0, sets: 1, count: 5, rowStride: 5 },
        outScore,
      });
      return { tokens: buffer, scores: outScore.buffer };
    });
  });
});
