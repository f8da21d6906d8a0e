/** The traces of sub-caches (4 tokens each, 3 of them, 2 sinks) that our reading of the authors' kernel gives, with scores that stay. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { Filling } from '../../src/methods/cascading-kv/filling';
import { lcg } from '../golden/lcg';

const shape = { sinkTokens: 2, cascadeTokens: 4, every: [1, 2, 4] };

/** The sub-caches after token `last`, the first sub-cache first. */
async function held(isEager: boolean, scores: Float32Array, last: number): Promise<number[][]> {
  const ops = createCpuOps();
  const filling = new Filling({ ...shape, isEager });
  const tokens = last + 1;
  const count = filling.heldAfter(tokens);
  const list = (length: number, size: number) => ({
    buffer: ops.allocate('u32', length, 'tokens'),
    ...{ offset: 0, sets: 1, count: size, rowStride: size },
  });
  const row = (length: number, buffer = ops.allocate('f32', length, 'scores')) => ({
    ...{ buffer, offset: 0, rows: 1, length, rowStride: length },
  });
  const out = list(count, count);
  ops.cascade({
    ...{ tokens: list(1, 0), firstToken: 0, out, outScore: row(count) },
    score: row(tokens, ops.upload(scores.slice(0, tokens), 'scores')),
    drops: { buffer: ops.upload(filling.drops(tokens), 'places'), offset: 0 },
  });
  const kept = [...(await ops.readIntegers(out.buffer))];
  ops.destroy();
  expect(kept.splice(0, 2)).toEqual([0, 1]);
  return filling.countsAfter(tokens).map((size) => kept.splice(kept.length - size, size));
}

const next = lcg(91);
const drawn = Float32Array.from({ length: 40 }, () => next());
const equal = new Float32Array(40).fill(1);

it.each([
  [15, [[12, 13, 14, 15], [5, 6, 9, 10], [2]]],
  [
    31,
    [
      [28, 29, 30, 31],
      [21, 23, 24, 26],
      [9, 12, 15, 18],
    ],
  ],
  [
    39,
    [
      [36, 37, 38, 39],
      [29, 30, 33, 35],
      [15, 21, 23, 26],
    ],
  ],
])('filled in turn, after token %i', async (last, wanted) => {
  expect(await held(false, drawn, last)).toEqual(wanted);
});

it.each([
  [
    15,
    [
      [12, 13, 14, 15],
      [7, 8, 9, 11],
      [3, 4, 5, 6],
    ],
  ],
  [
    31,
    [
      [28, 29, 30, 31],
      [21, 23, 25, 27],
      [9, 13, 17, 19],
    ],
  ],
  [
    39,
    [
      [36, 37, 38, 39],
      [29, 31, 33, 35],
      [17, 21, 25, 27],
    ],
  ],
])('filled at once, all alike, after token %i', async (last, wanted) => {
  expect(await held(true, equal, last)).toEqual(wanted);
});
