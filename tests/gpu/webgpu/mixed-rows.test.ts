/** Products per head: matrices along tokens and along channels, and rows that lists name. */
import { it } from 'vitest';
import { headMajorRows } from '../../../gpu/rows';
import { compare, describeBoth, inputView, type Layout, outputView, randomFloats } from './both';

describeBoth('mixRows', (backends) => {
  it.each([
    // Matrices, heads, rows of the matrix, tokens, channels.
    [1, 1, 1, 1, 1, 'dense'],
    [1, 2, 1, 70, 33, 'dense'],
    [1, 2, 3, 9, 4, 'dense'],
    [1, 2, 7, 9, 4, 'dense'],
    [2, 4, 8, 33, 12, 'dense'],
    [1, 3, 9, 64, 5, 'strided'],
    [3, 3, 17, 5, 64, 'token-major'],
    [2, 2, 65, 129, 8, 'token-major'],
    [1, 2, 3, 0, 8, 'dense'],
    [1, 2, 0, 3, 8, 'dense'],
    [1, 0, 3, 3, 8, 'dense'],
    [1, 2, 3, 3, 0, 'dense'],
  ] as [number, number, number, number, number, Layout][])(
    '%i matrices, %i heads, %i × %i, %i channels, %s',
    async (matrices, heads, rows, tokens, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const matrix = inputView(ops, [matrices, rows, tokens], 'strided', 1);
          const input = inputView(ops, [heads, tokens, channels], layout, 2);
          const out = outputView(ops, [heads, rows, channels], layout);
          const added = inputView(ops, [heads, rows, channels], layout, 3);
          ops.mixRows({ matrix, input, out });
          ops.mixRows({ matrix, input, out: added, accumulate: true });
          return { out: out.buffer, added: added.buffer };
        },
        // Sums over at most 129 tokens.
        { relative: 2e-6 },
      );
    },
  );

  it('numbers that are not finite show in their channels', async () => {
    await compare(backends, (ops) => {
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, 2, 3, 4, 5];
      const input = inputView(ops, [1, 3, 8], 'dense', Float32Array.of(...special, ...special, ...special));
      const matrix = inputView(ops, [1, 2, 3], 'dense', Float32Array.of(1, 2, 3, -1, -2, -1));
      const out = outputView(ops, [1, 2, 8], 'dense');
      ops.mixRows({ matrix, input, out });
      return { out: out.buffer };
    });
  });
});

describeBoth('matmul per head', (backends) => {
  it.each([
    // Heads of the input and of the weight, rows, depth, columns.
    [2, 1, 1, 4, 1, 'dense'],
    [4, 2, 3, 20, 65, 'dense'],
    [6, 3, 1, 33, 70, 'token-major'],
    [8, 2, 1, 64, 40, 'dense'],
    [4, 4, 17, 12, 33, 'strided'],
    [3, 1, 70, 16, 20, 'token-major'],
    [2, 2, 0, 8, 4, 'dense'],
    [2, 1, 3, 8, 0, 'dense'],
    [2, 1, 3, 0, 4, 'dense'],
    [0, 2, 3, 8, 4, 'dense'],
  ] as [number, number, number, number, number, Layout][])(
    '%i heads, %i of the weight, %i × %i to %i, %s',
    async (heads, weights, rows, depth, columns, layout) => {
      await compare(
        backends,
        (ops) => {
          const input = inputView(ops, [heads, rows, depth], layout, 1);
          const weight = inputView(ops, [weights, columns, depth], layout, 2);
          const bias = ops.upload(randomFloats(columns, 3), 'bias');
          const out = outputView(ops, [heads, rows, columns], layout);
          const added = inputView(ops, [heads, rows, columns], 'dense', 4);
          ops.matmul({ input, weight, out });
          ops.matmul({ input, weight, bias, out: added, accumulate: true });
          return { out: out.buffer, added: added.buffer };
        },
        // Sums over at most 64 channels.
        { relative: 2e-6 },
      );
    },
  );
});

describeBoth('gatherListed', (backends) => {
  it.each([
    // Heads of the input, sets, heads of the result, rows of the input, of the list, channels.
    [1, 1, 1, 1, 1, 1, 'dense'],
    [2, 1, 2, 9, 5, 8, 'dense'],
    [2, 4, 4, 70, 65, 12, 'token-major'],
    [2, 2, 2, 33, 40, 5, 'strided'],
    [3, 1, 6, 20, 7, 33, 'strided'],
    [2, 4, 4, 9, 0, 8, 'dense'],
    [2, 2, 0, 9, 3, 8, 'dense'],
    [2, 2, 2, 9, 3, 0, 'dense'],
  ] as [number, number, number, number, number, number, Layout][])(
    '%i heads, %i lists, to %i heads, of %i rows %i, %i channels, %s',
    async (groups, sets, heads, rows, count, channels, layout) => {
      // Ascending, twice the same, and beyond the end.
      const lists = Uint32Array.from(
        { length: sets * count },
        (_, i) => ((3 * (i % (count || 1))) >> 2) + (i % 11 === 10 ? 999 : 0),
      );
      const lengths = Array.from({ length: sets }, (_, set) => Math.max(0, [count - 1, 0, count][set % 3]!));
      const input = (ops: typeof backends.cpu) => inputView(ops, [groups, rows, channels], layout, 1);
      await compare(backends, (ops) => {
        const list = { buffer: ops.upload(lists, 'lists'), offset: 0, sets, count, rowStride: count };
        const out = outputView(ops, [heads, count, channels], layout);
        ops.gatherListed({ input: input(ops), list, out });
        return { out: out.buffer };
      });
      await compare(backends, (ops) => {
        const buffer = ops.upload(Uint32Array.from([...lengths, 5, ...lists]), 'lists');
        const list = { buffer, offset: sets + 1, sets, count, rowStride: count, countsOffset: 0 };
        const out = outputView(ops, [heads, count, channels], layout);
        ops.gatherListed({ input: input(ops), list, out });
        return { out: out.buffer };
      });
    },
  );

  it('gathers from one half of a buffer into the other', async () => {
    await compare(backends, (ops) => {
      const buffer = ops.upload(randomFloats(64, 1), 'halves');
      const list = {
        buffer: ops.upload(Uint32Array.of(1, 3), 'list'),
        offset: 0,
        sets: 1,
        count: 2,
        rowStride: 2,
      };
      const input = headMajorRows(buffer, 2, 4, 4);
      ops.gatherListed({ input, list, out: headMajorRows(buffer, 2, 2, 4, 40) });
      return { buffer };
    });
  });
});
