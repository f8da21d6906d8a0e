/** The operations in the order in which ESA uses them, on the fixtures ESA-1 and ESA-2. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { IndexList, ScoreRows } from '../../../gpu/ops';
import {
  headMajorRows,
  joinHeads,
  matrixRows,
  type Rows,
  sliceRows,
  tokenMajorRows,
} from '../../../gpu/rows';
import { esa1, esa2 } from '../../golden/esa-1';
import { expectClose } from './views';

const ops = createCpuOps();
const { heads, keyHeads, channels, queryRows, tokens, middleTokens, selectedTokens } = esa1;
const TOLERANCE = 1e-6;
const scale = 1 / Math.sqrt(channels);

const query = headMajorRows(ops.upload(esa1.query, 'query'), heads, queryRows, channels);
const key = headMajorRows(ops.upload(esa1.key, 'key'), keyHeads, tokens, channels);
const value = headMajorRows(ops.upload(esa1.value, 'value'), keyHeads, tokens, channels);
const middleKey = sliceRows(key, esa1.initialTokens, middleTokens);

function rotationTable(positions: number) {
  const cosine = new Float32Array(positions * 2);
  const sine = new Float32Array(positions * 2);
  for (let p = 0; p < positions; p++) {
    for (let f = 0; f < 2; f++) {
      const angle = p * esa1.rotaryBase ** ((-2 * f) / channels);
      cosine[2 * p + f] = Math.cos(angle);
      sine[2 * p + f] = Math.sin(angle);
    }
  }
  return {
    cosine: ops.upload(cosine, 'cos'),
    sine: ops.upload(sine, 'sin'),
    positions,
    frequencies: 2,
    scale: 1,
  };
}

const table = rotationTable(32);

/** Token-major, so that the heads of a token can be joined. */
function rotated(view: Rows, start: number, step: 0 | 1): Rows {
  const { heads, rows } = view;
  const out = tokenMajorRows(ops.allocate('f32', heads * rows * channels, 'rotated'), heads, rows, channels);
  ops.rotate({ input: view, table, positions: { start, step }, out });
  return out;
}

const farQuery = rotated(query, esa1.fixedPosition, 0);

/** Exact scores with the sum over heads folded into the query: Σ_h q_h·k_g(h) = Σ_g (Σ_h∈g q_h)·k_g. */
function folded(from: Rows): { query: Rows; key: Rows } {
  const sums = ops.allocate('f32', queryRows * keyHeads * channels, 'sums');
  const out = tokenMajorRows(sums, keyHeads, queryRows, channels);
  ops.sumHeads({ input: from, out });
  const packed = ops.allocate('f32', middleTokens * keyHeads * channels, 'keys');
  const keys = tokenMajorRows(packed, keyHeads, middleTokens, channels);
  ops.copyRows({ input: middleKey, out: keys });
  return { query: joinHeads(out), key: joinHeads(keys) };
}

function scoreRow(length: number): ScoreRows {
  return { buffer: ops.allocate('f32', length, 'scores'), offset: 0, rows: 1, length, rowStride: length };
}

async function scored(from: Rows) {
  const score = scoreRow(middleTokens);
  ops.esaImportance({ ...folded(from), out: score.buffer, outOffset: 0 });
  const dilated = scoreRow(middleTokens);
  ops.pool({ kind: 'max', input: score, width: 2 * esa1.radius + 1, out: dilated });
  return { score, dilated };
}

async function selected(score: ScoreRows, secondary?: ScoreRows): Promise<number[]> {
  const buffer = ops.allocate('u32', selectedTokens, 'list');
  const out = { buffer, offset: 0, sets: 1, count: selectedTokens, rowStride: selectedTokens };
  ops.topK({ score, secondary, count: selectedTokens, indexBase: 0, out });
  return [...(await ops.readIntegers(buffer))];
}

describe('ESA-1', () => {
  test('exact scores, dilation, selection and its tie order', async () => {
    const logits = ops.allocate('f32', queryRows * middleTokens, 'logits');
    const { query: q, key: k } = folded(farQuery);
    ops.matmul({ input: q, weight: k, out: matrixRows(logits, queryRows, middleTokens) });
    expectClose(await ops.readFloats(logits), esa1.logits.flat(), TOLERANCE);

    const { score, dilated } = await scored(farQuery);
    expectClose(await ops.readFloats(score.buffer), esa1.peaks, TOLERANCE);
    expectClose(await ops.readFloats(dilated.buffer), esa1.dilated, TOLERANCE);
    expect(await selected(dilated, score)).toEqual(esa1.selected);
    expect(await selected(dilated)).toEqual(esa1.selectedByIndex);
    expect(await selected(score)).toEqual(esa1.selected);
  });

  test('scores of the un-rotated query', async () => {
    const { score, dilated } = await scored(query);
    expectClose(await ops.readFloats(score.buffer), esa1.unrotated.peaks, TOLERANCE);
    expect(await selected(score)).toEqual(esa1.unrotated.selectedWithoutDilation);
    expect(await selected(dilated)).toEqual(esa1.unrotated.selectedByIndex);
  });

  test('compressed scores', async () => {
    const reduced = (name: string, weights: Float32Array, input: Rows) => {
      const out = matrixRows(ops.allocate('f32', input.rows * 2, name), input.rows, 2);
      ops.matmul({ input, weight: matrixRows(ops.upload(weights, name), 2, heads * channels), out });
      return out;
    };
    // The compression sees the keys of every query head: each KV head twice.
    const repeated = tokenMajorRows(
      ops.allocate('f32', middleTokens * 16, 'keys'),
      heads,
      middleTokens,
      channels,
    );
    for (let head = 0; head < heads; head++) {
      const { headStride } = middleKey;
      const from = { ...middleKey, heads: 1, offset: middleKey.offset + Math.floor(head / 2) * headStride };
      ops.copyRows({ input: from, out: { ...repeated, heads: 1, offset: head * channels } });
    }
    const weight = reduced('keys', esa1.reduceKey, joinHeads(repeated));
    const input = reduced('queries', esa1.reduceQuery, joinHeads(farQuery));
    const out = matrixRows(ops.allocate('f32', 30, 'logits'), queryRows, middleTokens);
    ops.matmul({ input, weight, out });
    expectClose(await ops.readFloats(out.buffer), esa1.compressedLogits.flat(), TOLERANCE);
  });

  test('attention to the selection and to local keys, merged', async () => {
    const a = 15;
    const far = esa1.selectedByIndex.map((index) => index + esa1.initialTokens);
    const { local, global, output } = attend(a, [0, 1, ...far]);
    expectClose(await ops.readFloats(global), esa1.globalLogSumExp, TOLERANCE);
    expectClose(await ops.readFloats(local), esa1.localLogSumExp, TOLERANCE);
    expectOutput(await output(), esa1.output);
  });
});

describe('ESA-2', () => {
  test.each(esa2)('nothing left out after $precedingTokens tokens', async ({ precedingTokens, output }) => {
    const localTokens = Math.min(esa1.localTokens, precedingTokens);
    const far = Array.from({ length: precedingTokens - localTokens }, (_, t) => t);
    expectOutput(await attend(precedingTokens, far).output(), output);
  });
});

/** One block after a tokens: `far` keys at a fixed distance, the local and current ones in sequence. */
function attend(a: number, far: readonly number[]) {
  const localTokens = Math.min(esa1.localTokens, a);
  const pass = (
    q: Rows,
    k: Rows,
    v: Rows,
    range: { start: number; end: number; causal: boolean },
    list?: IndexList,
  ) => {
    const length = heads * queryRows;
    const out = headMajorRows(ops.allocate('f32', length * channels, 'out'), heads, queryRows, channels);
    const logSumExp = { buffer: ops.allocate('f32', length, 'λ'), offset: 0, headStride: queryRows };
    ops.attention({ query: q, key: k, value: v, scale, visible: { list, range }, out, logSumExp });
    return { out, logSumExp };
  };
  const keys = localTokens + queryRows;
  const localKey = rotated(sliceRows(key, a - localTokens, keys), 0, 1);
  const localValue = sliceRows(value, a - localTokens, keys);
  const localQuery = rotated(query, localTokens, 1);
  const near = pass(localQuery, localKey, localValue, { start: 0, end: keys, causal: true });
  const buffer = ops.upload(Uint32Array.from(far), 'list');
  const list = { buffer, offset: 0, sets: 1, count: far.length, rowStride: far.length };
  const distant = pass(farQuery, key, value, { start: 0, end: 0, causal: false }, list);
  const local = ops.upload(new Float32Array(heads * queryRows), 'copy');
  const copy = matrixRows(local, 1, heads * queryRows);
  ops.copyRows({ input: matrixRows(near.logSumExp.buffer, 1, heads * queryRows), out: copy });
  ops.mergeAttention({ into: near, from: distant });
  return { local, global: distant.logSumExp.buffer, output: () => ops.readFloats(near.out.buffer) };
}

function expectOutput(
  actual: Float32Array,
  expected: { readonly 0: readonly number[]; readonly 3: readonly number[] },
): void {
  const length = queryRows * channels;
  expectClose(actual.subarray(0, length), expected[0], TOLERANCE);
  expectClose(actual.subarray(3 * length), expected[3], TOLERANCE);
}
