import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { readKept, readScores } from '../../src/measure/selection-reader';
import { contextOf, layerInput, startTraceRun } from '../../src/measure/trace-run';
import { esa } from '../../src/methods/esa';
import { secondMoments } from '../../src/methods/esa/moments';
import { resolveParameters } from '../../src/methods/parameters';
import type { Calibration } from '../../src/model/calibration';
import type { Trace } from '../../src/trace/trace';
import { lcg } from '../golden/lcg';
import { randomLayers, recordText, type TextShape } from './recorded';

const shape: TextShape = { tokens: 96, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const WIDTH = 16;
const layers = randomLayers(shape, 1, 11);

/** [heads, T, d] as rows of the folded space, [T, G·d]. */
function folded(data: Float32Array): Float32Array {
  const { tokens, keyValueHeads, headDimension: d } = shape;
  const perGroup = data.length / (tokens * d) / keyValueHeads;
  const out = new Float32Array(tokens * WIDTH);
  for (let i = 0; i < data.length; i++) {
    const head = Math.floor(i / (tokens * d));
    const token = Math.floor(i / d) % tokens;
    out[token * WIDTH + Math.floor(head / perGroup) * d + (i % d)]! += data[i]!;
  }
  return out;
}

const moments = {
  query: Float32Array.from(secondMoments(folded(layers[0]!.queryUnrotated!), WIDTH)),
  key: Float32Array.from(secondMoments(folded(layers[0]!.keyUnrotated!), WIDTH)),
};
const next = lcg(5);
const weights = (dimension: number) => ({
  queryWeight: Float32Array.from({ length: dimension * WIDTH }, next),
  queryBias: Float32Array.from({ length: dimension }, next),
  keyWeight: Float32Array.from({ length: dimension * WIDTH }, next),
  keyBias: Float32Array.from({ length: dimension }, next),
});
const learned = [
  { rotation: 0, dimension: 4, ...weights(4) },
  { rotation: 20, dimension: 4, ...weights(4) },
];
const calibration: Calibration = {
  metadata: {},
  hasSecondMoments: true,
  learned,
  secondMoments: () => moments,
  learnedProjection: (_layer, rotation, dimension) =>
    learned.find((entry) => entry.rotation === rotation && entry.dimension === dimension) ?? null,
};

const base = { initTokens: 2, localTokens: 16, chunkTokens: 16, selectedTokens: 10, proximity: 0 };
const block = { start: 80, end: 96 };

async function select(text: Trace, given: Record<string, unknown>, isExactly = false) {
  const parameters = resolveParameters(esa, { ...base, ...given }, contextOf(text));
  const { run } = await startTraceRun(text, esa, parameters, text.tokens);
  const input = layerInput(text.layerTraces[0]!, block);
  const selection = isExactly ? run.selectExactly!(input)! : run.select(input);
  const [scores] = (await readScores(text.ops, selection, text.tokens))!;
  const kept = await readKept(text.ops, selection);
  const notices = run.notices;
  run.dispose();
  return { scores: scores!.subarray(2, 64), kept: [...kept.sets[0]!], notices };
}

/** F_s of the middle by definition, from a score of one query and one token. */
function peaks(score: (query: number, token: number) => number): number[] {
  const tokens = Array.from({ length: 62 }, (_, i) => i + 2);
  const best = tokens.map(() => Number.NEGATIVE_INFINITY);
  for (let query = block.start; query < block.end; query++) {
    const row = tokens.map((token) => score(query, token));
    const largest = Math.max(...row);
    row.forEach((value, i) => {
      best[i] = Math.max(best[i]!, value - largest);
    });
  }
  return best;
}

describe('closed form', () => {
  const ops = createCpuOps();
  const own = recordText(ops, shape, layers);
  const calibrated = recordText(ops, shape, layers, { calibration });

  it('from the text’s own moments equals that from a calibration with the same moments', async () => {
    const given = { projection: 'closed-form', compressedDim: 5 };
    const fromText = await select(own, given);
    const fromCalibration = await select(calibrated, given);
    expect(fromText.kept).toEqual(fromCalibration.kept);
    fromText.scores.forEach((score, i) => {
      expect(score).toBeCloseTo(fromCalibration.scores[i]!, 3);
    });
    expect(fromText.notices).toHaveLength(1);
    expect(fromCalibration.notices).toHaveLength(0);
  });

  it.each(['rotated', 'unrotated'])('at full rank is exact, queries %s', async (scoreQuery) => {
    const closed = await select(calibrated, { projection: 'closed-form', compressedDim: WIDTH, scoreQuery });
    const exact = await select(calibrated, { projection: 'exact', scoreQuery });
    expect(closed.kept).toEqual(exact.kept);
    const largest = Math.max(...exact.scores.map(Math.abs));
    expect(largest).toBeGreaterThan(5);
    closed.scores.forEach((score, i) => {
      expect(Math.abs(score - exact.scores[i]!)).toBeLessThan(1e-5 * largest);
    });
  });

  it('approximates better with more channels', async () => {
    const exact = await select(calibrated, { projection: 'exact' });
    const distance = async (compressedDim: number): Promise<number> => {
      const { scores } = await select(calibrated, { projection: 'closed-form', compressedDim });
      return scores.reduce((sum, score, i) => sum + (score - exact.scores[i]!) ** 2, 0);
    };
    const distances = [await distance(2), await distance(8), await distance(14)];
    expect(distances[1]).toBeLessThan(distances[0]!);
    expect(distances[2]).toBeLessThan(distances[1]!);
  });
});

describe('learned', () => {
  const text = recordText(createCpuOps(), shape, layers, { calibration });
  // Without rotary positions nothing is rotated, and the projection for w = 0 is the one.
  const plain = recordText(createCpuOps(), shape, layers, { calibration, rope: null });
  const query = folded(layers[0]!.queryUnrotated!);
  const key = folded(layers[0]!.keyUnrotated!);
  const apply = (weight: Float32Array, bias: Float32Array | null, row: Float32Array): number[] =>
    Array.from({ length: 4 }, (_, i) =>
      row.reduce((sum, value, c) => sum + value * weight[i * WIDTH + c]!, bias?.[i] ?? 0),
    );

  it('scores with both maps and the query’s bias', async () => {
    const { queryWeight, queryBias, keyWeight, keyBias } = learned[0]!;
    const rowOf = (data: Float32Array, token: number) => data.subarray(token * WIDTH, (token + 1) * WIDTH);
    // The key's bias too: Eq. 4 takes it away.
    const wanted = peaks((c, m) => {
      const compressed = apply(keyWeight, keyBias, rowOf(key, m));
      return apply(queryWeight, queryBias, rowOf(query, c)).reduce(
        (sum, value, i) => sum + value * compressed[i]!,
        0,
      );
    });
    const found = await select(plain, { projection: 'learned', compressedDim: 4 });
    wanted.forEach((score, i) => {
      expect(found.scores[i]).toBeCloseTo(score, 3);
    });
    expect(found.notices).toHaveLength(0);
  });

  it('takes the nearest position, and says so', async () => {
    const near = await select(text, { projection: 'learned', compressedDim: 4 });
    expect(near.notices).toEqual([
      'The projection was learned for w = 20; queries are scored there, not at 16.',
    ]);
    const there = await select(text, { projection: 'learned', compressedDim: 4, globalPosition: 20 });
    expect(there.notices).toHaveLength(0);
    expect(there.scores).toEqual(near.scores);
  });

  it('is judged by exact scores at its own position', async () => {
    // Not at w = 16, which would take the way to 20 for a fault of the compression.
    const judged = await select(text, { projection: 'learned', compressedDim: 4 }, true);
    const at = (globalPosition: number) => select(text, { projection: 'exact', globalPosition });
    expect(judged.scores).toEqual((await at(20)).scores);
    expect(judged.scores).not.toEqual((await at(16)).scores);
    const queryScores = async (given: Record<string, unknown>) => {
      const parameters = resolveParameters(esa, { ...base, ...given }, contextOf(text));
      const { run } = await startTraceRun(text, esa, parameters, text.tokens);
      const scores = run.queryScores!(layerInput(text.layerTraces[0]!, block))!;
      const exact = await text.ops.readFloats(scores.exact.buffer);
      run.dispose();
      return exact;
    };
    const learnedAt = (globalPosition: number) =>
      queryScores({ projection: 'learned', compressedDim: 4, globalPosition });
    expect(await learnedAt(16)).toEqual(await learnedAt(20));
    const closedAt = (globalPosition: number) =>
      queryScores({ projection: 'closed-form', compressedDim: 4, globalPosition });
    expect(await learnedAt(16)).toEqual(await closedAt(20));
    expect(await learnedAt(16)).not.toEqual(await closedAt(16));
  });

  it('is refused for un-rotated queries', async () => {
    const given = { projection: 'learned', compressedDim: 4, scoreQuery: 'unrotated' };
    await expect(select(text, given)).rejects.toThrow(
      'esa: learned projections are for queries rotated to w; use scoreQuery "rotated", or projection "closed-form" or "exact".',
    );
  });

  it('is refused where nothing was learned', async () => {
    await expect(select(text, { projection: 'learned', compressedDim: 5 })).rejects.toThrow(
      'esa: there is no learned projection to 5 channels; set compressedDim to one of 4.',
    );
    const bare = recordText(createCpuOps(), shape, layers);
    await expect(select(bare, { projection: 'learned', compressedDim: 4 })).rejects.toThrow(
      'esa: this model brings no learned projection; use projection "closed-form" or "exact".',
    );
  });
});

it('asks for un-rotated tensors where a capture has none', async () => {
  const text = recordText(createCpuOps(), shape, layers);
  const bare = { ...text, layerTraces: text.layerTraces.map((layer) => ({ ...layer, keyUnrotated: null })) };
  await expect(select(bare, { projection: 'exact' })).rejects.toThrow(
    'esa needs queries and keys before rotation, which layer 0 of this capture lacks; choose another method or original positions.',
  );
});
