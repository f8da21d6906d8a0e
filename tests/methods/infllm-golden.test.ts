import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { headMajorRows } from '../../gpu/rows';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { infLlm } from '../../src/methods/infllm';
import { InfLlmRun } from '../../src/methods/infllm/run';
import { resolveParameters } from '../../src/methods/parameters';
import { draw, lcg } from '../golden/lcg';
import { expectClose } from './agreement';
import { randomLayers, recordText, rotate } from './recorded';

/** INF-1: `LCG(111)`, Q [4, 30, 4], K and V [2, 30, 4]; a prefill of 24 tokens, then one by one. Computed with the official class. */
const inf1 = {
  ...{ tokens: 30, queryHeads: 4, keyValueHeads: 2, headDimension: 4, prefill: 24 },
  parameters: {
    ...{ initTokens: 2, localTokens: 6, blockTokens: 4, selectedBlocks: 2, representativeTokens: 2 },
    ...{ chunkTokens: 3, duplicates: 'official' },
  },
  blocks: [[], [], [], [], [0], [0], [0, 1], [1, 2], [0, 2], [2, 3], [2, 3], [0, 1], [0, 3], [0, 2]],
  outputs: [
    { head: 0, token: 23, is: [-0.060704, -0.095736, 0.12442, 0.054358] },
    { head: 0, token: 29, is: [-0.067148, 0.014365, 0.246221, -0.117253] },
    { head: 3, token: 29, is: [-0.36427, 0.255143, 0.225949, -0.160315] },
  ],
  representatives: [
    [0.438887, 0.193896, -0.198154, 0.235502, 0.438887, 0.193896, -0.198154, 0.235502],
    [0.32715, 0.012343, 0.186699, 0.306079, 0.32715, 0.012343, 0.186699, 0.306079],
  ].flat(),
};

it('INF-1: blocks of every step, outputs, and what stands for the first block', async () => {
  const { tokens, queryHeads, keyValueHeads, headDimension, prefill } = inf1;
  const next = lcg(111);
  const [queryUnrotated, keyUnrotated, value] = [queryHeads, keyValueHeads, keyValueHeads].map((heads) =>
    draw(next, heads * tokens * headDimension),
  ) as [Float32Array, Float32Array, Float32Array];
  const [query, key] = [queryUnrotated, keyUnrotated].map((data) => rotate(data, tokens, headDimension)) as [
    Float32Array,
    Float32Array,
  ];
  const shape = { tokens, queryHeads, keyValueHeads, headDimension };
  const layer = { query, key, value, queryUnrotated, keyUnrotated };
  const ops = createCpuOps();
  const text = recordText(ops, shape, [layer], { answerStart: prefill });
  const parameters = resolveParameters(infLlm, inf1.parameters, contextOf(text));
  const { blocks, inputOf } = await startTraceRun(text, infLlm, parameters, prefill);
  const run = new InfLlmRun(methodContext(text, prefill), parameters);
  const { initTokens, blockTokens } = inf1.parameters;
  for (const [step, block] of blocks.entries()) {
    const input = inputOf(text.layerTraces[0]!, block);
    const selection = run.select(input);
    const { sets, candidates } = await readKept(ops, selection);
    const starts = Array.from(
      { length: (candidates.end - candidates.start) / blockTokens },
      (_, b) => initTokens + b * blockTokens,
    );
    const seen = [...starts.keys()].filter((b) => !selection.list || sets[0]!.includes(starts[b]!));
    expect(seen, `step ${step}`).toEqual(inf1.blocks[step]);
    const rows = block.end - block.start;
    const buffer = ops.allocate('f32', queryHeads * rows * headDimension, 'output');
    const logSumExp = { buffer: ops.allocate('f32', queryHeads * rows, 'lse'), offset: 0, headStride: rows };
    run.attend(input, selection, headMajorRows(buffer, queryHeads, rows, headDimension), logSumExp);
    run.attended(input, selection, logSumExp);
    const out = await ops.readFloats(buffer);
    for (const { head, token, is } of inf1.outputs) {
      if (token < block.start || token >= block.end) continue;
      const at = (head * rows + token - block.start) * headDimension;
      expectClose(out.subarray(at, at + headDimension), is);
    }
  }
  const { buffer } = run.representatives(0, 1);
  expectClose((await ops.readFloats(buffer)).subarray(0, queryHeads * headDimension), inf1.representatives);
  run.dispose();
});

it('sees at most the budget before any block, and everything where that is all', async () => {
  const shape = { tokens: 200, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
  const ops = createCpuOps();
  const text = recordText(ops, shape, randomLayers(shape, 1, 6), { answerStart: 180 });
  const given = { initTokens: 3, localTokens: 20, blockTokens: 6, chunkTokens: 20 };
  const context = contextOf(text);
  const parameters = resolveParameters(infLlm, given, context);
  for (const fraction of [0.05, 0.2, 0.31, 0.5, 0.77, 1]) {
    const fitted = infLlm.withBudget(parameters, context, fraction, { evictAt: 150, answerStart: 180 });
    if ('floor' in fitted) {
      expect(fraction).toBe(0.05);
      // Three initial tokens, and at most 20 local ones with five in no block yet.
      expect(fitted.floor).toBe(28 / 200);
      continue;
    }
    if (!('parameters' in fitted)) throw new Error('has a budget');
    const { run, blocks, inputOf } = await startTraceRun(text, infLlm, fitted.parameters, 180);
    let most = 0;
    let hasDropped = false;
    for (const block of blocks) {
      const input = inputOf(text.layerTraces[0]!, block);
      const selection = run.select(input);
      run.attended!(input, selection, null);
      const { sets, rangeStart } = await readKept(ops, selection);
      const seen = sets[0]!.length + block.start - rangeStart;
      most = Math.max(most, seen);
      hasDropped ||= seen < block.start;
    }
    run.dispose();
    expect(most).toBeLessThanOrEqual(fraction * 200);
    // One block more would be too many for some block of queries.
    if (fraction < 1) expect(most).toBeGreaterThan(fraction * 200 - 6);
    expect(hasDropped).toBe(fraction < 1);
  }
});
