import { it } from 'vitest';
import type { Ops, RotationTable } from '../../../gpu/ops';
import { matrixRows } from '../../../gpu/rows';
import {
  compare,
  describeBoth,
  inputView,
  type Layout,
  outputView,
  poisonedIntegers,
  randomFloats,
} from './both';

const shapes: readonly [heads: number, rows: number, channels: number, layout: Layout][] = [
  [1, 1, 1, 'dense'],
  [3, 2, 6, 'strided'],
  [2, 5, 20, 'token-major'],
  [1, 17, 33, 'strided'],
  [4, 3, 63, 'dense'],
  [1, 2, 65, 'strided'],
  [3, 31, 64, 'token-major'],
  [2, 2, 129, 'strided'],
  [1, 3, 1100, 'strided'],
  [2, 0, 8, 'dense'],
];

// One rounded exponential, division or square root, and sums over at most 1,100 channels.
const tolerance = { relative: 2e-6 };

function rotationTable(ops: Ops, positions: number, frequencies: number): RotationTable {
  const angles = Array.from(
    { length: positions * frequencies },
    (_, i) => Math.floor(i / frequencies) * 10000 ** (-(i % frequencies) / frequencies),
  );
  return {
    positions,
    frequencies,
    scale: 1,
    cosine: ops.upload(Float32Array.from(angles, Math.cos), 'cosine'),
    sine: ops.upload(Float32Array.from(angles, Math.sin), 'sine'),
  };
}

describeBoth('row operations', (backends) => {
  it.each(shapes)('copyRows %i × %i × %i, %s', async (heads, rows, channels, layout) => {
    await compare(backends, (ops) => {
      const input = inputView(ops, [heads, rows, channels], 'strided', 1);
      const out = outputView(ops, [heads, rows, channels], layout);
      ops.copyRows({ input, out });
      return { out: out.buffer };
    });
  });

  it('copyRows moves integers, too, out of longer rows', async () => {
    await compare(backends, (ops) => {
      const data = Uint32Array.from({ length: 1 + 4 * 7 }, (_, i) => 0xfffffff0 + i);
      const out = poisonedIntegers(ops, 4 * 5 + 2);
      ops.copyRows({
        input: { ...matrixRows(ops.upload(data, 'input'), 4, 5), offset: 1, rowStride: 7 },
        out: { ...matrixRows(out, 4, 5), offset: 1 },
      });
      return { out };
    });
  });

  it('copies NaN, infinities and −0 bit by bit', async () => {
    await compare(backends, (ops) => {
      const values = Float32Array.of(
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        -0,
        1e-42,
      );
      const out = outputView(ops, [1, 1, 5], 'strided');
      ops.copyRows({ input: inputView(ops, [1, 1, 5], 'dense', values), out });
      return { out: out.buffer };
    });
  });

  it.each([
    [false, 1, 1],
    [false, 17, 33],
    [true, 65, 6],
    [false, 0, 4],
  ])('gatherRows, accumulate %s: %i × %i', async (accumulate, rows, channels) => {
    await compare(
      backends,
      (ops) => {
        const table = inputView(ops, [1, 11, channels], 'strided', 1);
        const out = inputView(ops, [1, rows, channels], 'strided', 2);
        // Some reach beyond the table.
        const indices = ops.upload(
          Uint32Array.from({ length: rows + 3 }, (_, i) => (i * 7) % 13),
          'indices',
        );
        ops.gatherRows({ table, indices, indexOffset: 3, out, accumulate });
        return { out: out.buffer };
      },
      { relative: 1e-7 },
    );
  });

  for (const kind of ['rms', 'layer'] as const) {
    it.each(shapes)(`normalize ${kind} %i × %i × %i, %s`, async (heads, rows, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const input = inputView(ops, [heads, rows, channels], layout, 1, 3);
          const out = outputView(ops, [heads, rows, channels], 'strided');
          const weight = ops.upload(randomFloats(channels, 2), 'weight');
          const bias = kind === 'layer' ? ops.upload(randomFloats(channels, 3), 'bias') : undefined;
          ops.normalize({ kind, input, weight, bias, epsilon: 1e-5, out });
          ops.normalize({ kind, input, weight, bias, epsilon: 1e-5, out: input });
          return { out: out.buffer, inPlace: input.buffer };
        },
        // A single channel is its own mean: ε decides.
        channels === 1 ? { relative: 1e-4 } : tolerance,
      );
    });
  }

  it('normalizes rows far from zero without losing their spread', async () => {
    await compare(
      backends,
      (ops) => {
        const values = randomFloats(3 * 64, 1).map((x) => 1000 + x);
        const input = inputView(ops, [1, 3, 64], 'dense', values);
        const out = outputView(ops, [1, 3, 64], 'dense');
        const weight = ops.upload(new Float32Array(64).fill(1), 'weight');
        ops.normalize({ kind: 'layer', input, weight, epsilon: 1e-5, out });
        return { out: out.buffer };
      },
      // The mean of numbers around 1,000 is rounded to 6e-5.
      { relative: 1e-4 },
    );
  });

  const extremes = Float32Array.of(0, -0, 1e-30, -1e-6, 0.5, -3, 9.5, -12, 60, -60, 1000, -1000, 3e38, -3e38);

  for (const kind of ['gelu-tanh', 'gelu', 'silu', 'soft-cap'] as const) {
    it.each([
      ['seams', [2, 33, 5], 1],
      ['extremes', [1, 2, 7], extremes],
    ] as const)(`activate ${kind}: %s`, async (_, shape, values) => {
      await compare(
        backends,
        (ops) => {
          const input = inputView(ops, shape, 'strided', values === 1 ? 1 : bounded(values, kind), 3);
          const out = outputView(ops, shape, 'token-major');
          ops.activate({ kind, cap: 2.5, input, out });
          ops.activate({ kind, cap: 2.5, input, out: input });
          return { out: out.buffer, inPlace: input.buffer };
        },
        // erf is approximated to 2e-7.
        { relative: 2e-6 },
      );
    });
  }

  it.each([
    ['silu', 'gate'],
    ['silu', 'up'],
    ['silu', 'apart'],
    ['gelu-tanh', 'up'],
  ] as const)('gate by %s, into %s', async (kind, target) => {
    await compare(
      backends,
      (ops) => {
        const gate = inputView(ops, [1, 17, 33], 'strided', 1, 4);
        const up = inputView(ops, [1, 17, 33], 'dense', 2);
        const out = { gate, up, apart: outputView(ops, [1, 17, 33], 'strided') }[target];
        ops.gate({ kind, gate, up, out });
        return { out: out.buffer };
      },
      tolerance,
    );
  });

  it('gates one half of a matrix with the other, in place', async () => {
    await compare(
      backends,
      (ops) => {
        const all = inputView(ops, [1, 5, 12], 'dense', 1);
        const half = (first: number) => ({ ...all, offset: first, channels: 6 });
        ops.gate({ gate: half(0), up: half(6), out: half(0) });
        return { all: all.buffer };
      },
      tolerance,
    );
  });

  it.each([
    [1, 1, 2, 1, 'dense'],
    [3, 5, 6, 3, 'strided'],
    [2, 17, 33, 10, 'token-major'],
    [2, 65, 20, 10, 'strided'],
    [1, 4, 6, 0, 'strided'],
    [2, 0, 8, 4, 'dense'],
  ] as const)(
    'rotate %i × %i × %i by %i frequencies, %s',
    async (heads, rows, channels, frequencies, layout) => {
      await compare(
        backends,
        (ops) => {
          const table = rotationTable(ops, 200, frequencies);
          const input = inputView(ops, [heads, rows, channels], layout, 1);
          const shape = [heads, rows, channels] as const;
          const outs = [0, 1, 2].map(() => outputView(ops, shape, 'strided'));
          const indices = ops.upload(
            Uint32Array.from({ length: rows + 2 }, (_, i) => (i * 37) % 200),
            'indices',
          );
          ops.rotate({ input, table, positions: { start: 100, step: 1 }, out: outs[0]! });
          ops.rotate({ input, table, positions: { start: 7, step: 0 }, out: outs[1]! });
          ops.rotate({ input, table, positions: { indices, offset: 2 }, out: outs[2]! });
          ops.rotate({ input, table, positions: { start: 1, step: 1 }, out: input });
          return {
            consecutive: outs[0]!.buffer,
            same: outs[1]!.buffer,
            listed: outs[2]!.buffer,
            inPlace: input.buffer,
          };
        },
        { relative: 1e-6 },
      );
    },
  );

  it.each([
    ['seams', [1, 5, 129], randomFloats(5 * 129, 1)],
    ['one channel', [1, 3, 1], randomFloats(3, 1)],
    [
      'more threads, largest at both ends',
      [1, 4, 1031],
      new Float32Array(4 * 1031).map((_, i) => (i % 1031) * (i % 2062 < 1031 ? 1 : -1)),
    ],
    ['most threads, ties over the row', [1, 1, 9001], randomFloats(9001, 2).map((x) => Math.round(x))],
    ['constants', [1, 1, 100], new Float32Array(100).fill(-2)],
    ['ties of −0 and +0', [1, 1, 70], new Float32Array(70).map((_, i) => (i < 66 ? -1 : i === 66 ? -0 : 0))],
    [
      'NaN and −∞',
      [1, 2, 66],
      new Float32Array(132).map((_, i) =>
        i % 3 === 0 ? Number.NaN : i === 100 ? -5 : Number.NEGATIVE_INFINITY,
      ),
    ],
    [
      '+∞ twice',
      [1, 1, 130],
      new Float32Array(130).map((_, i) => (i === 65 || i === 129 ? Number.POSITIVE_INFINITY : i)),
    ],
  ] as const)('argmax: %s', async (_, shape, values) => {
    await compare(backends, (ops) => {
      const out = poisonedIntegers(ops, shape[1] + 2);
      ops.argmax({ input: inputView(ops, shape, 'strided', values), out, outOffset: 2 });
      return { out };
    });
  });
});

/** Where the CPU's doubles give a number beyond f32's range or NaN (0 · ∞), there is nothing to compare. */
function bounded(values: Float32Array, kind: string): Float32Array {
  return kind === 'gelu-tanh' ? values.map((x) => Math.max(-1e10, Math.min(1e10, x))) : values;
}
