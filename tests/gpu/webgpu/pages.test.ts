import { it } from 'vitest';
import { compare, describeBoth, inputView, type Layout, outputView, randomFloats, scoresOut } from './both';

const infinity = Number.POSITIVE_INFINITY;

/** Noise with equal numbers, both zeros, infinities and NaN. */
function keys(length: number): Float32Array {
  const special = [Number.NaN, -infinity, infinity, 0, -0, 1e-45, -3e38];
  return randomFloats(length, 2).map((x, i) =>
    i % 5 === 2 ? special[((i / 5) | 0) % 7]! : Math.round(4 * x),
  );
}

describeBoth('pageBounds', (backends) => {
  it.each([
    [1, 1, 1, 1, 'dense'],
    [2, 17, 4, 16, 'dense'],
    [3, 16, 5, 16, 'strided'],
    [2, 65, 33, 3, 'token-major'],
    [1, 7, 64, 100, 'strided'],
    [4, 130, 20, 1, 'token-major'],
    [2, 0, 8, 4, 'dense'],
    [0, 9, 8, 4, 'dense'],
    [2, 9, 0, 4, 'dense'],
  ] as [number, number, number, number, Layout][])(
    '%i heads, %i rows of %i channels, pages of %i, %s',
    async (heads, rows, channels, pageLength, layout) => {
      await compare(backends, (ops) => {
        const key = inputView(ops, [heads, rows, channels], layout, keys(heads * rows * channels));
        const shape = [heads, Math.ceil(rows / pageLength), channels] as const;
        const [minimum, maximum] = [outputView(ops, shape, 'strided'), outputView(ops, shape, layout)];
        ops.pageBounds({ key, pageLength, minimum, maximum });
        return { minimum: minimum.buffer, maximum: maximum.buffer };
      });
    },
  );
});

describeBoth('boundScores', (backends) => {
  it.each([
    // Query heads, KV heads, queries, pages, channels.
    [1, 1, 1, 1, 1, 'dense'],
    [4, 2, 1, 65, 16, 'dense'],
    [3, 3, 1, 40, 33, 'strided'],
    [6, 2, 5, 7, 20, 'token-major'],
    [8, 1, 1, 129, 64, 'token-major'],
    [2, 1, 37, 64, 8, 'dense'],
    [6, 2, 0, 7, 8, 'dense'],
    [6, 2, 3, 0, 8, 'dense'],
    [0, 0, 3, 4, 8, 'dense'],
    [4, 2, 3, 5, 0, 'dense'],
  ] as [number, number, number, number, number, Layout][])(
    '%i query heads, %i KV heads, %i queries, %i pages, %i channels, %s',
    async (heads, groups, queries, pages, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const query = inputView(ops, [heads, queries, channels], layout, 1);
          const low = randomFloats(groups * pages * channels, 2);
          const widths = randomFloats(64, 3);
          const high = low.map((x, i) => x + Math.abs(widths[i % 64]!));
          const minimum = inputView(ops, [groups, pages, channels], layout, low);
          const maximum = inputView(ops, [groups, pages, channels], 'strided', high);
          const out = scoresOut(ops, heads * queries, pages);
          ops.boundScores({ query, minimum, maximum, out });
          return { out: out.buffer };
        },
        // Sums over at most 64 channels.
        { relative: 2e-6 },
      );
    },
  );

  it.each([
    // Query heads, KV heads, queries, tokens of the first query, keys of a page, channels.
    [4, 2, 5, 30, 1, 16, 'dense'],
    [6, 2, 21, 41, 16, 20, 'strided'],
    [2, 1, 3, 0, 4, 8, 'token-major'],
    [3, 3, 1, 17, 8, 33, 'dense'],
    [4, 1, 9, 2, 5, 8, 'token-major'],
    [4, 2, 0, 6, 4, 8, 'dense'],
  ] as [number, number, number, number, number, number, Layout][])(
    '%i query heads, %i KV heads, %i queries of which the first sees %i keys, pages of %i, %i channels, %s',
    async (heads, groups, queries, firstTokens, pageLength, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const query = inputView(ops, [heads, queries, channels], layout, 1);
          const rows = firstTokens + Math.max(0, queries - 1);
          const key = inputView(ops, [groups, rows, channels], layout, 2);
          const shape = [groups, Math.ceil(rows / pageLength), channels] as const;
          const [minimum, maximum] = [outputView(ops, shape, 'dense'), outputView(ops, shape, 'strided')];
          ops.pageBounds({ key, pageLength, minimum, maximum });
          const out = scoresOut(ops, heads * queries, shape[1]);
          ops.boundScores({ query, minimum, maximum, out, byQuery: { key, pageLength, firstTokens } });
          return { out: out.buffer };
        },
        { relative: 2e-6 },
      );
    },
  );

  it('of constants, zeros and bounds that are no numbers', async () => {
    await compare(backends, (ops) => {
      const query = inputView(
        ops,
        [2, 2, 4],
        'dense',
        Float32Array.of(1, 2, 0, 0, -1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0),
      );
      const low = Float32Array.from({ length: 6 * 4 }, (_, i) =>
        i === 4 ? Number.NaN : i === 9 ? -infinity : -2,
      );
      const high = low.map((x, i) => (i === 13 ? infinity : Number.isNaN(x) ? x : 3));
      const minimum = inputView(ops, [1, 6, 4], 'strided', low);
      const maximum = inputView(ops, [1, 6, 4], 'dense', high);
      const out = scoresOut(ops, 4, 6);
      ops.boundScores({ query, minimum, maximum, out });
      return { out: out.buffer };
    });
  });
});

describeBoth('sparseQueries', (backends) => {
  it.each([
    // Query heads, KV heads, rows, channels, kept channels.
    [1, 1, 1, 1, 1, 'dense'],
    [4, 2, 1, 16, 5, 'dense'],
    [6, 2, 5, 65, 64, 'token-major'],
    [3, 3, 7, 130, 1, 'strided'],
    [70, 1, 2, 9, 3, 'dense'],
    [4, 2, 3, 8, 0, 'dense'],
    [4, 2, 3, 8, 100, 'strided'],
    [2, 1, 0, 8, 2, 'dense'],
    [0, 0, 3, 8, 2, 'dense'],
    [2, 1, 3, 0, 2, 'dense'],
  ] as [number, number, number, number, number, Layout][])(
    '%i query heads, %i KV heads, %i rows of %i channels, %i kept, %s',
    async (heads, groups, rows, channels, count, layout) => {
      await compare(
        backends,
        (ops) => {
          const query = inputView(ops, [heads, rows, channels], layout, 1);
          const out = outputView(ops, [heads, rows, channels], layout);
          ops.sparseQueries({ query, groups, count, out });
          return { out: out.buffer };
        },
        { relative: 2e-6 },
      );
    },
  );

  it('of equal channels, and of a head that has nothing where its group is large', async () => {
    await compare(backends, (ops) => {
      const query = inputView(
        ops,
        [2, 2, 4],
        'dense',
        Float32Array.of(1, -1, 1, 1, 0, 0, 4, 0, 0, 0, 0, 0, 9, 2, 0, 0),
      );
      const out = outputView(ops, [2, 2, 4], 'dense');
      ops.sparseQueries({ query, groups: 1, count: 2, out });
      return { out: out.buffer };
    });
  });
});
