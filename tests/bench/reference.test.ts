/** The benchmark's own references: what its checks compare with must itself be right. */
import { describe, expect, it } from 'vitest';
import { checkOutput, sampledIndices } from '../../bench/check';
import { randomFloats } from '../../bench/random';
import { attendOnce, range } from '../../bench/reference';
import { chosenSections } from '../../bench/sections';
import { best } from '../../bench/top-k';
import { createCpuOps } from '../../gpu/cpu';
import { matrixRows } from '../../gpu/rows';

describe('attendOnce', () => {
  const channels = 5;
  const keys = 9;
  const data = { key: randomFloats(keys * channels, 1), value: randomFloats(keys * channels, 2) };
  const query = randomFloats(channels, 3);
  const rowsOf = (tensor: Float32Array) => ({ data: tensor, offset: 0, stride: channels });

  it('is softmax attention', async () => {
    const ops = createCpuOps({ simd: false });
    const rows = (tensor: Float32Array, count: number) =>
      matrixRows(ops.upload(tensor, 'rows'), count, channels);
    const out = rows(new Float32Array(channels), 1);
    ops.attention({
      query: rows(query, 1),
      key: rows(data.key, keys),
      value: rows(data.value, keys),
      scale: 0.7,
      visible: { range: { start: 2, end: keys, causal: false } },
      out,
    });
    const expected = await ops.readFloats(out.buffer);
    const parts = [
      { query, key: rowsOf(data.key), rows: [2, 4, 6] },
      { query, key: rowsOf(data.key), rows: [3, 5, 7, 8] },
    ];
    const actual = attendOnce(parts, rowsOf(data.value), 0.7);
    for (let c = 0; c < channels; c++) expect(actual[c]).toBeCloseTo(expected[c]!, 6);
  });

  it('gives each part its own query', () => {
    const one = { query, key: rowsOf(data.key), rows: [1] };
    const two = { query: query.map((x) => -x), key: rowsOf(data.key), rows: [1] };
    const [only, both] = [[one], [one, two]].map((parts) => attendOnce(parts, rowsOf(data.value), 1));
    // Both parts see the same value: whatever the weights, so is their mean.
    for (let c = 0; c < channels; c++) expect(both![c]).toBeCloseTo(only![c]!, 12);
    const far = attendOnce([one, { ...two, rows: [2] }], rowsOf(data.value), 1);
    expect(Math.abs(far[0]! - only![0]!)).toBeGreaterThan(1e-3);
  });
});

describe('best', () => {
  it('orders by score, then second score, then place', () => {
    const scores = Float32Array.from([1, 3, 2, 3, 2, 2]);
    expect([...best(scores, null, 3)]).toEqual([1, 2, 3]);
    expect([...best(scores, Float32Array.from([0, 0, 1, 0, 1, 2]), 3)]).toEqual([1, 3, 5]);
    expect([...best(scores, Float32Array.from([0, 0, 1, 0, 1, 2]), 4)]).toEqual([1, 2, 3, 5]);
  });
});

describe('checkOutput', () => {
  it('refuses what is too far off, not a number, or nothing but zeros', () => {
    checkOutput('right', [1, 2.00001], [1, 2], 1e-5);
    expect(() => checkOutput('matmul', [1, 2.1], [1, 2], 1e-5)).toThrow(/^matmul is wrong/);
    expect(() => checkOutput('matmul', [1, Number.NaN], [1, 2], 1e-5)).toThrow();
    expect(() => checkOutput('matmul', [0, 0], [0, 0], 1e-5)).toThrow();
    expect(() => checkOutput('matmul', [1], [1, 2], 1e-5)).toThrow();
  });
});

describe('sampledIndices', () => {
  it('spreads from first to last', () => {
    expect(sampledIndices(3, 5)).toEqual([0, 1, 2]);
    expect(sampledIndices(9, 3)).toEqual([0, 4, 8]);
  });
});

describe('range', () => {
  it('is empty where it would be negative', () => {
    expect([...range(2, 5)]).toEqual([2, 3, 4]);
    expect(range(5, 2)).toHaveLength(0);
  });
});

describe('chosenSections', () => {
  it('names what there is', () => {
    expect(chosenSections('esa,kernels').map(({ name }) => name)).toEqual(['kernels', 'esa']);
    expect(chosenSections(undefined).length).toBeGreaterThan(4);
    expect(() => chosenSections('kernel')).toThrow(
      /^The benchmark has no section "kernel"; it has: kernels, /,
    );
  });
});
