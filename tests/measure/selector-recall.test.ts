import { expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { readKept } from '../../src/measure/selection-reader';
import { selectorRecall } from '../../src/measure/selector-recall';
import { contextOf, layerInput, startTraceRun } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { fixtureText, shape } from '../methods/fixture';

test('recall of each query is the same however many scores are held at once', async () => {
  const ops = createCpuOps();
  const text = fixtureText(ops);
  const before = ops.memory().bytes;
  const method = methodById('esa');
  const given = {
    projection: 'closed-form',
    compressedDim: 4,
    initTokens: 4,
    localTokens: 32,
    chunkTokens: 40,
  };
  const parameters = resolveParameters(method, { ...given, selectedTokens: 24 }, contextOf(text));
  const { run, blocks, dispose } = await startTraceRun(text, method, parameters, 150);
  const block = blocks.find(({ start }) => start >= 120)!;
  const measured = { start: block.start + 3, end: Math.min(block.end, shape.tokens) };
  const input = layerInput(text.layerTraces[1]!, block);
  const selection = run.select(input);
  const kept = readKept(ops, selection);
  const recallWith = async (mostScores: number) => {
    const recall = await selectorRecall(ops, run, input, kept, measured, mostScores);
    return recall!;
  };
  const whole = await recallWith(2 ** 22);
  expect(whole.perQuery).toBeGreaterThan(0.1);
  expect(whole.perQuery).toBeLessThan(1);
  for (const mostScores of [1, 3 * block.start, 11 * block.start + 5]) {
    const cut = await recallWith(mostScores);
    expect(cut.block).toBe(whole.block);
    expect(cut.perQuery).toBeCloseTo(whole.perQuery!, 12);
  }
  ops.release(...selection.owned);
  dispose();
  expect(ops.memory().bytes).toBe(before);
});
