import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { Layout, Shape } from './views';
import { expectClose, input, numbers, output, take } from './views';

const ops = createCpuOps();
const shape: Shape = { heads: 2, rows: 3, channels: 5 };
const SIZE = 30;

describe('normalize', () => {
  const x = numbers(1, SIZE).map((v) => 3 * v + 1);
  const weight = numbers(2, 5);
  const bias = numbers(3, 5);
  const epsilon = 0.01;
  const row = (r: number) => [...x.subarray(5 * r, 5 * r + 5)];
  const expected = (kind: 'rms' | 'layer', withBias: boolean) =>
    Array.from({ length: 6 }, (_, r) => {
      const mean = kind === 'layer' ? row(r).reduce((s, v) => s + v, 0) / 5 : 0;
      const deviation = Math.sqrt(row(r).reduce((s, v) => s + (v - mean) ** 2, 0) / 5 + epsilon);
      return row(r).map((v, c) => ((v - mean) / deviation) * weight[c]! + (withBias ? bias[c]! : 0));
    }).flat();

  test.each([
    ['rms', false],
    ['rms', true],
    ['layer', false],
    ['layer', true],
  ] as const)('%s, bias: %s; apart and in place', async (kind, withBias) => {
    const parameters = {
      kind,
      weight: ops.upload(weight, 'weight'),
      bias: withBias ? ops.upload(bias, 'bias') : undefined,
      epsilon,
    };
    const out = output(ops, shape, 'token-major');
    ops.normalize({ ...parameters, input: input(ops, shape, x), out });
    expectClose(await take(ops, out), expected(kind, withBias), 1e-6);
    const both = output(ops, shape, 'head-major', x);
    ops.normalize({ ...parameters, input: both, out: both });
    expectClose(await take(ops, both), expected(kind, withBias), 1e-6);
  });

  test('a constant row does not divide by zero', async () => {
    const constant = { heads: 1, rows: 1, channels: 4 };
    const ones = ops.upload(new Float32Array(4).fill(1), 'weight');
    const out = output(ops, constant);
    ops.normalize({
      kind: 'layer',
      input: input(ops, constant, [7, 7, 7, 7]),
      weight: ones,
      epsilon: 1e-5,
      out,
    });
    expect(await take(ops, out)).toEqual([0, 0, 0, 0]);
  });
});

describe('activations', () => {
  const x = [
    -30, -9, -6, -4, -2.875, -2.8125, -2, -1, -0.5, -0.0009765625, 0, 0.0009765625, 0.3125, 1, 2, 2.8125,
    2.875, 4, 6, 9, 30,
  ];
  const silu = (v: number) => v / (1 + Math.exp(-v));
  // From 0.5·x·erfc(−x/√2) of the C library.
  const gelu = [
    -1.4720141781446293e-196, -1.015729565358458e-18, -5.919525870226207e-9, -0.00012668496733247986,
    -0.005807895283594756, -0.0069128470552406885, -0.04550026389635844, -0.15865525393145707,
    -0.15426876936299344, -0.00048790078905392527, 0.0, 0.0004886617109460747, 0.1945842870219241,
    0.8413447460685429, 1.9544997361036416, 2.805587152944759, 2.8691921047164053, 3.9998733150326675,
    5.999999994080474, 9.0, 30.0,
  ];
  const tanh = x.map((v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))));
  const line = { heads: 1, rows: 3, channels: 7 };

  test.each([
    ['silu', x.map(silu)],
    ['gelu', gelu],
    ['gelu-tanh', tanh],
  ] as const)('%s, apart and in place', async (kind, want) => {
    const out = output(ops, line);
    ops.activate({ kind, input: input(ops, line, x), out });
    for (const [i, value] of (await take(ops, out)).entries()) {
      expect(Math.abs(value - Math.fround(want[i]!))).toBeLessThanOrEqual(
        1.3e-7 * Math.abs(want[i]!) + 1e-38,
      );
    }
    const both = output(ops, line, 'head-major', x);
    ops.activate({ kind, input: both, out: both });
    expect(await take(ops, both)).toEqual(await take(ops, out));
  });

  test('a soft cap, apart and in place; its infinities are the cap', async () => {
    const more = Float32Array.from([...x.slice(0, 19), Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    const want = Array.from(more, (v) => 1.5 * Math.tanh(v / 1.5));
    const out = output(ops, line, 'head-major', more);
    ops.activate({ kind: 'soft-cap', cap: 1.5, input: out, out });
    expectClose(await take(ops, out), want, 2e-7);
    expect(want.slice(-2)).toEqual([1.5, -1.5]);
  });

  test('a gate of GELU', async () => {
    const up = numbers(4, 21);
    const out = output(ops, line);
    ops.gate({ kind: 'gelu-tanh', gate: input(ops, line, x), up: input(ops, line, up), out });
    expectClose(
      await take(ops, out),
      tanh.map((value, i) => value * up[i]!),
      2e-6,
    );
  });

  test('activations of infinity and NaN', async () => {
    const three = { heads: 1, rows: 1, channels: 2 };
    for (const kind of ['silu', 'gelu', 'gelu-tanh'] as const) {
      const out = output(ops, three);
      ops.activate({ kind, input: input(ops, three, [Number.POSITIVE_INFINITY, Number.NaN]), out });
      expect(await take(ops, out)).toEqual([Number.POSITIVE_INFINITY, Number.NaN]);
    }
  });

  test('gate: apart, into the gate, into the other factor', async () => {
    const up = numbers(4, 21);
    const want = x.map((v, i) => silu(v) * up[i]!);
    const out = output(ops, line);
    ops.gate({ gate: input(ops, line, x), up: input(ops, line, up), out });
    expectClose(await take(ops, out), want, 2e-6);
    const first = output(ops, line, 'head-major', x);
    ops.gate({ gate: first, up: input(ops, line, up), out: first });
    expectClose(await take(ops, first), want, 2e-6);
    const second = output(ops, line, 'head-major', up);
    ops.gate({ gate: input(ops, line, x), up: second, out: second });
    expectClose(await take(ops, second), want, 2e-6);
  });
});

describe('rotate', () => {
  const positions = 9;
  const angles = (frequencies: number) => numbers(5, positions * frequencies).map((x) => 10 * x);
  const table = (frequencies: number) => ({
    cosine: ops.upload(angles(frequencies).map(Math.cos), 'cos'),
    sine: ops.upload(angles(frequencies).map(Math.sin), 'sin'),
    positions,
    frequencies,
    scale: 1,
  });
  const x = numbers(6, SIZE);
  const expected = (frequencies: number, at: readonly number[]) => {
    const angle = angles(frequencies);
    return [...x].map((value, i) => {
      const c = i % 5;
      const position = at[Math.floor(i / 5) % 3]!;
      if (c >= 2 * frequencies) return value;
      const theta = angle[position * frequencies + (c % frequencies)]!;
      // The pair as a complex number, turned by theta.
      return c < frequencies
        ? value * Math.cos(theta) - x[i + frequencies]! * Math.sin(theta)
        : value * Math.cos(theta) + x[i - frequencies]! * Math.sin(theta);
    });
  };
  const indices = ops.upload(Uint32Array.of(99, 8, 0, 3), 'positions');

  test.each([
    [2, { start: 4, step: 1 }, [4, 5, 6]],
    [1, { start: 8, step: 0 }, [8, 8, 8]],
    [2, { indices, offset: 1 }, [8, 0, 3]],
    [0, { start: 0, step: 1 }, [0, 1, 2]],
  ] as const)('%i frequencies at %o', async (frequencies, at, used) => {
    for (const layout of ['head-major', 'token-major'] satisfies Layout[]) {
      const out = output(ops, shape, layout);
      ops.rotate({ input: input(ops, shape, x), table: table(frequencies), positions: at, out });
      expectClose(await take(ops, out), expected(frequencies, used), 1e-6);
      const both = output(ops, shape, layout, x);
      ops.rotate({ input: both, table: table(frequencies), positions: at, out: both });
      expectClose(await take(ops, both), expected(frequencies, used), 1e-6);
    }
  });

  test('a position beyond the table is refused', () => {
    const a = { input: input(ops, shape, x), table: table(2), out: output(ops, shape) };
    expect(() => ops.rotate({ ...a, positions: { start: 7, step: 1 } })).toThrow('rotate: positions reach 9');
    expect(() => ops.rotate({ ...a, positions: { indices, offset: 0 } })).toThrow('position 99');
  });
});

describe('rows', () => {
  const table = numbers(7, 12);
  const indices = ops.upload(Uint32Array.of(77, 2, 0, 2, 4000000000), 'indices');
  const line = { heads: 1, rows: 4, channels: 3 };
  // The last index is out of range and reads the last row.
  const want = [2, 0, 2, 3].flatMap((r) => [...table.subarray(3 * r, 3 * r + 3)]);

  test('gatherRows, and added to what is there', async () => {
    const a = { table: input(ops, { ...line }, table), indices, indexOffset: 1 };
    const out = output(ops, line, 'token-major');
    ops.gatherRows({ ...a, out });
    expect(await take(ops, out)).toEqual(want);
    ops.gatherRows({ ...a, out, accumulate: true });
    expect(await take(ops, out)).toEqual(want.map((x) => 2 * x));
  });

  test('copyRows between layouts', async () => {
    const out = output(ops, shape, 'token-major');
    ops.copyRows({ input: input(ops, shape, numbers(8, SIZE)), out });
    expect(await take(ops, out)).toEqual([...numbers(8, SIZE)]);
  });

  test('sumHeads: groups of heads, all heads, each head', async () => {
    const many = { heads: 6, rows: 2, channels: 3 };
    const x = numbers(9, 36);
    for (const [heads, factor] of [
      [2, 0.25],
      [1, undefined],
      [6, 1],
    ] as const) {
      const per = 6 / heads;
      const out = output(ops, { ...many, heads }, 'token-major');
      ops.sumHeads({ input: input(ops, many, x), out, factor });
      const sums = Array.from({ length: heads * 6 }, (_, i) => {
        const group = Math.floor(i / 6);
        let sum = 0;
        for (let h = group * per; h < (group + 1) * per; h++) sum += x[h * 6 + (i % 6)]!;
        return sum * (factor ?? 1);
      });
      expectClose(await take(ops, out), sums, 1e-6);
    }
  });

  test('argmax: the lower index of equals, NaN never', async () => {
    const { NaN: none, NEGATIVE_INFINITY: low } = Number;
    const rows = [
      [1, 5, 5],
      [-3, -2, -9],
      [none, 0, -1],
      [low, low, low],
      [low, none, low],
      [0, -0, 0],
    ];
    const out = ops.upload(new Uint32Array(8).fill(9), 'out');
    const view = input(ops, { heads: 1, rows: 6, channels: 3 }, rows.flat());
    ops.argmax({ input: view, out, outOffset: 1 });
    expect([...(await ops.readIntegers(out))]).toEqual([9, 1, 1, 1, 0, 0, 0, 9]);
  });
});
