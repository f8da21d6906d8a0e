import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { headMajorRows } from '../../gpu/rows';
import { createWebGpuOps } from '../../gpu/webgpu';
import { UserError } from '../../src/base/user-error';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { resolveParameters } from '../../src/methods/parameters';
import { squeezedAttention } from '../../src/methods/squeezed-attention';
import { directionsOf, kMeans } from '../../src/methods/squeezed-attention/k-means';
import { SqueezedRun } from '../../src/methods/squeezed-attention/run';
import type { Trace } from '../../src/trace/trace';
import { draw, lcg } from '../golden/lcg';
import { describeWebGpu } from '../webgpu-node';
import { randomLayers, recordText } from './recorded';

/** SQ-1: `LCG(61)`, keys then queries, each [2, 14, 4]; three clusters, a window of 4. Computed with the official code. */
const sq1 = {
  ...{ tokens: 14, heads: 2, channels: 4, window: 4 },
  labels: ['0120120120', '2211000121'],
  thresholds: { 0.5: 0.095393, 0.7: 0.109693, 0.8: 0.109693, 0.9: 0.112526 },
};

const labelsOf = (rows: readonly string[]) => ({
  shape: [rows.length, rows[0]!.length],
  values: Int32Array.from(rows.flatMap((row) => [...row].map(Number))),
});

function withLabels(text: Trace, rows: readonly string[]): Trace {
  const injected = (name: string) => (name === 'cluster_labels' ? labelsOf(rows) : null);
  return { ...text, injected: injected as Trace['injected'] };
}

function sq1Text(): Trace {
  const { tokens, heads, channels } = sq1;
  const next = lcg(61);
  const [key, query] = [draw(next, heads * tokens * channels), draw(next, heads * tokens * channels)];
  const shape = { tokens, queryHeads: heads, keyValueHeads: heads, headDimension: channels };
  return recordText(createCpuOps(), shape, [{ query, key, value: key }], { rope: null });
}

it('SQ-1: thresholds by quantile', async () => {
  const text = withLabels(sq1Text(), sq1.labels);
  for (const [quantile, threshold] of Object.entries(sq1.thresholds)) {
    const given = {
      clusters: 3,
      observationTokens: sq1.window,
      quantile: Number(quantile),
      labels: 'injected',
    };
    const parameters = resolveParameters(squeezedAttention, given, contextOf(text));
    const run = new SqueezedRun(methodContext(text, sq1.tokens), parameters);
    await run.prepare(text.layerTraces);
    expect(run.threshold(0, 'fine')).toBeCloseTo(threshold, 5);
    run.dispose();
  }
});

it('says that rounding decides where there is one cluster', () => {
  const text = sq1Text();
  const said = (given: Record<string, number>): number => {
    const parameters = resolveParameters(squeezedAttention, given, contextOf(text));
    return new SqueezedRun(methodContext(text, sq1.tokens), parameters).notices.length;
  };
  expect(said({ observationTokens: 4, clusters: 1 })).toBe(1);
  expect(said({ observationTokens: 4, clusters: 1, quantile: 0 })).toBe(0);
  expect(said({ observationTokens: 4, clusters: 3 })).toBe(0);
  expect(said({ observationTokens: 4, clusters: 3, coarseClusters: 1, coarseQuantile: 0.5 })).toBe(1);
  // A context of a single token is one cluster, whatever number is asked for.
  expect(said({ observationTokens: 13, clusters: 3 })).toBe(1);
});

it('labels that do not fit are refused in a sentence', async () => {
  const text = sq1Text();
  const start = async (of: Trace, given: Record<string, unknown>) => {
    const all = { clusters: 3, observationTokens: sq1.window, labels: 'injected', ...given };
    const parameters = resolveParameters(squeezedAttention, all, contextOf(of));
    await startTraceRun(of, squeezedAttention, parameters, sq1.tokens);
  };
  await expect(start(text, {})).rejects.toThrow('squeezed-attention needs cluster_labels.0, which');
  const labelled = withLabels(text, sq1.labels);
  await expect(start(labelled, { observationTokens: 5 })).rejects.toThrow(
    'cluster_labels.0 of the capture has 10 labels for each head, but there are 9 tokens before the observation window.',
  );
  await expect(start(labelled, { clusters: 2 })).rejects.toThrow(
    'cluster_labels.0 of the capture has a label 2, but there are 2 clusters, counted from 0.',
  );
  const run = squeezedAttention.start(
    { ...methodContext(text, sq1.tokens), recorded: null },
    resolveParameters(squeezedAttention, {}, contextOf(text)),
  );
  await expect(run.prepare!(null)).rejects.toThrow(UserError);
});

/** Rows about five directions, of lengths that differ a hundredfold. */
function bundles(heads: number, rows: number, channels: number): { data: Float32Array; truth: number[] } {
  const next = lcg(17);
  const directions = draw(next, 5 * channels);
  const noise = draw(next, heads * rows * channels);
  const truth = Array.from({ length: heads * rows }, (_, row) => (row * row + (row >> 3)) % 5);
  const data = noise.map((value, i) => {
    const row = Math.floor(i / channels);
    const length = 10 ** ((row % 5) - 2);
    return length * (directions[truth[row]! * channels + (i % channels)]! + 0.02 * value);
  });
  return { data, truth };
}

async function labelsFound(ops: Ops, seed: number, clusters: number): Promise<number[]> {
  const [heads, rows, channels] = [2, 90, 8];
  const { data } = bundles(heads, rows, channels);
  const buffer = ops.upload(data, 'rows');
  const directions = directionsOf(data, channels);
  const points = { rows: headMajorRows(buffer, heads, rows, channels), directions, clusters, seed };
  const [labels] = await kMeans(ops, [points]);
  ops.release(buffer);
  return [...labels!];
}

describe('k-means', () => {
  it('puts rows of one direction together, whatever their lengths', async () => {
    const { truth } = bundles(2, 90, 8);
    const labels = await labelsFound(createCpuOps(), 3, 30);
    // With more clusters than directions none holds rows of two.
    for (const head of [0, 1]) {
      const of = new Map<number, Set<number>>();
      for (let row = 90 * head; row < 90 * (head + 1); row++)
        of.set(labels[row]!, (of.get(labels[row]!) ?? new Set()).add(truth[row]!));
      expect([...of.values()].every(({ size }) => size === 1)).toBe(true);
      expect(of.size).toBeGreaterThan(5);
    }
  });

  it('finds the same again, and other clusters from another seed', async () => {
    const ops = createCpuOps();
    const labels = await labelsFound(ops, 3, 12);
    expect(await labelsFound(ops, 3, 12)).toEqual(labels);
    expect(await labelsFound(ops, 4, 12)).not.toEqual(labels);
  });

  it('gives every row a cluster of its own where there are as many', async () => {
    const labels = await labelsFound(createCpuOps(), 1, 90);
    expect(new Set(labels.slice(0, 90)).size).toBeGreaterThan(80);
  });
});

describeWebGpu('k-means on WebGPU', (gpu) => {
  it('finds what the CPU finds', async () => {
    const ops = await createWebGpuOps({ device: gpu.device });
    expect(await labelsFound(ops, 3, 12)).toEqual(await labelsFound(createCpuOps(), 3, 12));
    ops.destroy();
  });
});

describe('a budget', () => {
  const shape = { tokens: 300, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
  const places = { evictAt: 240, answerStart: 280 };

  it.each([0.35, 0.5, 0.8, 1])('of %f is what the observation window itself would see', async (fraction) => {
    const ops = createCpuOps();
    const text = recordText(ops, shape, randomLayers(shape, 2, 8, 1), { answerStart: 280 });
    const context = contextOf(text);
    const given = { clusters: 60, observationTokens: 20, chunkTokens: 20 };
    const start = resolveParameters(squeezedAttention, given, context);
    const fitted = squeezedAttention.withBudget(start, context, fraction, places);
    if (!('parameters' in fitted)) throw new Error('has a budget');
    const { inputOf } = await startTraceRun(text, squeezedAttention, fitted.parameters, 240);
    // Its queries as one block, looked up as later ones are.
    const run = new SqueezedRun(methodContext(text, 240), fitted.parameters, 220);
    await run.prepare(text.layerTraces);
    let clustered = 0;
    for (const recorded of text.layerTraces) {
      const selection = run.select(inputOf(recorded, { start: 220, end: 240 }));
      const { sets, rangeStart } = await readKept(ops, selection, 4);
      for (const set of sets) clustered += (set.length + (rangeStart === 0 ? 220 : 0)) / 8;
    }
    // Before the last query stand the window and what was read since, 79 tokens in all.
    const room = fraction === 1 ? 220 : fraction * 300 - 79;
    // A threshold falls between clusters, of which the largest have a few dozen keys of 1,760.
    expect(Math.abs(clustered - room)).toBeLessThan(4);
    expect(clustered).toBeLessThanOrEqual(room);
    run.dispose();
  });

  it('has a floor: the window, and what was read since', () => {
    const context = { ...shape, layers: 2, trainedTokens: null };
    const start = resolveParameters(squeezedAttention, { observationTokens: 20 }, context);
    expect(squeezedAttention.withBudget(start, context, 0.2, places)).toEqual({ floor: 79 / 300 });
  });
});

it('keeps whole clusters of the context, and everything since its window', async () => {
  const shape = { tokens: 120, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
  const ops = createCpuOps();
  const text = recordText(ops, shape, randomLayers(shape, 2, 9, 1), { answerStart: 110 });
  const given = { clusters: 10, observationTokens: 15, quantile: 0.6, chunkTokens: 12 };
  const parameters = resolveParameters(squeezedAttention, given, contextOf(text));
  // One layer alone has the threshold of all.
  const [recorded] = text.layerTraces;
  const options = { layers: [recorded!] };
  const alone = await startTraceRun(text, squeezedAttention, parameters, 90, options);
  const both = await startTraceRun(text, squeezedAttention, parameters, 90);
  expect(alone.blocks.filter(({ start }) => start >= 90).map(({ start }) => start)).toEqual([
    90,
    102,
    ...Array.from({ length: 10 }, (_, i) => 110 + i),
  ]);
  for (const block of alone.blocks) {
    const [one, other] = await Promise.all(
      [alone, both].map(({ run, inputOf }) => readKept(ops, run.select(inputOf(recorded!, block)), 4)),
    );
    expect(one).toEqual(other);
    expect(one!.rangeStart).toBe(block.start < 90 ? 0 : 75);
    if (block.start < 90) continue;
    const lengths = one!.sets.map(({ length }) => length);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(0);
    expect(new Set(lengths).size).toBeGreaterThan(1);
  }
  alone.run.dispose();
  both.run.dispose();
});
