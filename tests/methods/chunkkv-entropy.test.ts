/** The order in which tokens go in, against the greedy pass that kvpress describes, and by hand. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { UserError } from '../../src/base/user-error';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { chunkkvEntropy, gatedScores } from '../../src/methods/chunkkv-entropy';
import { resolveParameters } from '../../src/methods/parameters';
import { randomLayers, recordText } from './recorded';

/** Chunks one by one, as the formula says it. */
function greedily(
  scores: readonly number[],
  chunkTokens: number,
  spikyTokens: number,
  budget: number,
): number[] {
  const chunks: number[][] = [];
  for (let start = 0; start < scores.length; start += chunkTokens)
    chunks.push(Array.from({ length: Math.min(chunkTokens, scores.length - start) }, (_, i) => start + i));
  const sum = (tokens: readonly number[]): number => tokens.reduce((all, token) => all + scores[token]!, 0);
  const mean = chunks.map((tokens) => sum(tokens) / tokens.length);
  const entropy = chunks.map((tokens) =>
    tokens.length === 1
      ? 0
      : -tokens.reduce((all, t) => {
          const p = scores[t]! / sum(tokens);
          return all + (p > 0 ? p * Math.log(p) : 0);
        }, 0) / Math.log(tokens.length),
  );
  const median = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[(values.length - 1) >> 1]!;
  const best = (tokens: readonly number[], count: number): number[] =>
    [...tokens].sort((a, b) => scores[b]! - scores[a]!).slice(0, count);
  const kept: number[] = [];
  for (const i of [...chunks.keys()].sort((a, b) => mean[b]! - mean[a]!)) {
    const isSpiky = mean[i]! >= median(mean) && entropy[i]! < median(entropy);
    kept.push(...best(chunks[i]!, Math.min(budget - kept.length, isSpiky ? spikyTokens : chunkTokens)));
  }
  const left = [...scores.keys()].filter((token) => !kept.includes(token));
  return [...kept, ...best(left, budget - kept.length)].sort((a, b) => a - b);
}

/** The first `budget` of the order. */
function inOrder(
  scores: readonly number[],
  chunkTokens: number,
  spikyTokens: number,
  budget: number,
): number[] {
  const own = Float32Array.from(scores);
  const gated = gatedScores(own, { chunkTokens, spikyTokens });
  return [...own.keys()]
    .sort((a, b) => gated[b]! - gated[a]! || own[b]! - own[a]! || a - b)
    .slice(0, budget)
    .sort((a, b) => a - b);
}

describe('tokens go in', () => {
  it('whole chunks first, of a spiky one its best alone, then what is best of the rest', () => {
    // Means 3, 2.5 (the spiky one), 1, 0.5.
    const scores = [3, 3, 3, 3, 0.25, 9.25, 0.25, 0.25, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5];
    const keep = (budget: number): number[] => inOrder(scores, 4, 1, budget);
    expect(keep(3)).toEqual([0, 1, 2]);
    expect(keep(5)).toEqual([0, 1, 2, 3, 5]);
    expect(keep(9)).toEqual([0, 1, 2, 3, 5, 8, 9, 10, 11]);
    expect(keep(14)).toEqual([0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15]);
  });

  it.each([1, 2, 7, 40, 61])('as the greedy pass takes them, %i tokens', (tokens) => {
    // Distinct, and skewed so that chunks are spiky.
    const scores = Array.from({ length: tokens }, (_, i) => (((i * 37) % 101) / 101) ** 6 + 1e-4 * (i + 1));
    for (const [chunkTokens, spikyTokens] of [
      [5, 2],
      [6, 1],
      [1, 1],
      [10, 4],
      [4, 9],
      [100, 3],
    ] as const)
      for (let budget = 1; budget <= tokens; budget += 3)
        expect(inOrder(scores, chunkTokens, spikyTokens, budget)).toEqual(
          greedily(scores, chunkTokens, spikyTokens, budget),
        );
  });

  it('chunks of zeros before what was left behind', () => {
    // Of (1, 9) the 9 goes in; the 1 comes last.
    expect(inOrder([0, 0, 1, 9, 4, 4, 3, 3, 2, 2], 2, 1, 8)).toEqual([0, 3, 4, 5, 6, 7, 8, 9]);
    expect(inOrder([0, 0, 1, 9, 4, 4, 3, 3, 2, 2], 2, 1, 9)).toEqual([0, 1, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe('a run', () => {
  const shape = { tokens: 30, queryHeads: 2, keyValueHeads: 2, headDimension: 4 };
  const text = recordText(createCpuOps(), shape, randomLayers(shape, 2, 3));
  const parameters = resolveParameters(chunkkvEntropy, { windowTokens: 3, chunkTokens: 4 }, contextOf(text));

  it('holds nothing once it is over', async () => {
    const before = text.ops.memory().bytes;
    const started = await startTraceRun(text, chunkkvEntropy, parameters, 20);
    for (const trace of text.layerTraces) {
      const selection = started.run.select(started.inputOf(trace, { start: 20, end: 30 }));
      expect(selection.list!.count).toBe(5);
    }
    started.dispose();
    expect(text.ops.memory().bytes).toBe(before);
  });

  it('is refused where no text was read', async () => {
    const started = await startTraceRun(text, chunkkvEntropy, parameters, 20);
    await expect(started.run.prepare!(null)).rejects.toThrow(UserError);
    started.dispose();
  });

  it('names the layer whose scores are not finite', async () => {
    const layers = randomLayers(shape, 2, 3);
    layers[1]!.query.fill(Number.NaN);
    const broken = recordText(createCpuOps(), shape, layers);
    await expect(startTraceRun(broken, chunkkvEntropy, parameters, 20)).rejects.toThrow(
      /chunkkv-entropy: in layer 1 the scores of keys are not finite/,
    );
  });
});
