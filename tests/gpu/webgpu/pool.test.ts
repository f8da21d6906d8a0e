import { it } from 'vitest';
import { compare, describeBoth, inputScores, randomFloats, scoresOut } from './both';

const infinity = Number.POSITIVE_INFINITY;

/** Noise, with `special` numbers in between. */
function scores(length: number, special: readonly number[]): Float32Array {
  return randomFloats(length, 3).map((x, i) => (i % 9 === 4 ? special[((i / 9) % 3) | 0]! : x));
}

describeBoth('pool', (backends) => {
  it.each([
    [1, 1, 1],
    [1, 1, 7],
    [3, 5, 3],
    [2, 64, 7],
    [1, 129, 35],
    [2, 33, 201],
    // At the seams of a tile of 1,024 entries, those beside the window's middle included.
    [2, 1009, 17],
    [1, 2016, 17],
    [1, 700, 769],
    [2, 900, 771],
    [0, 5, 3],
    [2, 0, 3],
  ])('%i rows of %i by windows of %i', async (rows, length, width) => {
    await compare(backends, (ops) => {
      const values = scores(rows * length, [Number.NaN, -infinity, infinity]);
      const out = scoresOut(ops, rows, length);
      ops.pool({ kind: 'max', input: inputScores(ops, rows, length, values), width, out });
      return { out: out.buffer };
    });
    await compare(
      backends,
      (ops) => {
        const out = scoresOut(ops, rows, length);
        const values = scores(rows * length, [0, -0, 1e-3]);
        ops.pool({ kind: 'mean', input: inputScores(ops, rows, length, values), width, out });
        return { out: out.buffer };
      },
      // Sums of at most 771 numbers of either sign.
      { relative: 2e-6 },
    );
  });

  it.each([
    [3, 12, 10, 1],
    [5, 40, 3, 5],
    [4, 300, 290, 19],
    [3, 1200, 1, 41],
    [2, 9, 0, 3],
    [2, 9, 30, 5],
    [3, 9, 2 ** 32 - 1, 3],
    [3, 1200, 2 ** 32, 41],
  ])('%i rows of %i, the first with %i, by windows of %i', async (rows, length, firstLength, width) => {
    for (const kind of ['max', 'mean'] as const) {
      await compare(
        backends,
        (ops) => {
          const special = kind === 'max' ? [Number.NaN, -infinity, infinity] : [0, -1e3, 1e3];
          const values = scores(rows * length, special);
          const out = scoresOut(ops, rows, length);
          ops.pool({ kind, input: inputScores(ops, rows, length, values), width, firstLength, out });
          return { out: out.buffer };
        },
        { relative: kind === 'max' ? 0 : 2e-6 },
      );
    }
  });

  it('means of what is not finite are not finite, and only those', async () => {
    await compare(
      backends,
      (ops) => {
        const values = scores(130, [Number.NaN, -infinity, infinity]);
        const out = scoresOut(ops, 1, 130);
        ops.pool({ kind: 'mean', input: inputScores(ops, 1, 130, values), width: 5, out });
        return { out: out.buffer };
      },
      { relative: 1e-6 },
    );
  });
});
