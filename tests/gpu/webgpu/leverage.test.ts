import { it } from 'vitest';
import { compare, describeBoth, inputScores, inputView, type Layout, randomFloats, scoresOut } from './both';

describeBoth('leverage', (backends) => {
  it.each([
    // Heads of out, heads of input, rows, channels.
    [1, 1, 1, 1, 'dense'],
    [2, 2, 130, 16, 'dense'],
    [6, 2, 65, 33, 'token-major'],
    [4, 2, 5, 48, 'strided'],
    [2, 1, 300, 64, 'strided'],
    [2, 1, 0, 8, 'dense'],
    [0, 0, 9, 8, 'dense'],
  ] as [number, number, number, number, Layout][])(
    '%i heads of %i, %i rows of %i channels, %s',
    async (heads, groups, rows, channels, layout) => {
      for (const isWeighted of heads === groups ? [false, true] : [true]) {
        await compare(
          backends,
          (ops) => {
            const weights = randomFloats(Math.max(1, heads * rows), 2).map(Math.abs);
            const out = scoresOut(ops, heads, rows);
            ops.leverage({
              input: inputView(ops, [groups, rows, channels], layout, 1),
              ridge: 0.5,
              ...(isWeighted ? { weight: inputScores(ops, heads, rows, weights) } : {}),
              out,
            });
            return { out: out.buffer };
          },
          { relative: 3e-5, least: 1 },
        );
      }
    },
  );
});
