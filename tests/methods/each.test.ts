/** What methods choose for several queries in one pass, beside what they choose for one query at a time. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { LOWEST_SCORE, type Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { choose } from '../../src/measure/choices';
import { readKept, readScoreRows } from '../../src/measure/selection-reader';
import { layerInput, startTraceRun, type TraceRun } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import type { LayerInput, MethodRun, Selection } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { describeWebGpu } from '../webgpu-node';
import { fixtureText, shape } from './fixture';

const ANSWER_START = 151;
const answer = { start: ANSWER_START, end: shape.tokens };
const lengths = { localTokens: 20, initTokens: 4, selectedTokens: 17, chunkTokens: 40 };
const specs: readonly [id: string, given: Record<string, unknown>][] = [
  ['esa', { projection: 'exact', ...lengths }],
  ['esa', { projection: 'exact', scoreQuery: 'unrotated', ...lengths, proximity: 0 }],
  ['esa', { projection: 'closed-form', compressedDim: 8, ...lengths }],
  ['esa', { projection: 'closed-form', compressedDim: 4, ...lengths, initTokens: 0, proximity: 12 }],
  ['esa', { projection: 'closed-form', compressedDim: 4, ...lengths, selectedTokens: 0 }],
  ['oracle', { keepFraction: 0.2 }],
  ['oracle', { keepFraction: 0 }],
  ['quest', { pageTokens: 7, budgetTokens: 40, denseLayers: 0 }],
  ['quest', { pageTokens: 16, budgetTokens: 48, denseLayers: 1, share: 'group' }],
  ['sparq', { rankChannels: 3, selectedTokens: 20, localTokens: 5 }],
  ['sparq', { rankChannels: 3, selectedTokens: 0 }],
  ['loki', { components: 3, selectedTokens: 21 }],
  ['tokenselect', { ...lengths, initTokens: 4, poolKernel: 0 }],
  ['tokenselect', { ...lengths, localTokens: 1, initTokens: 0, poolKernel: 5, scoreQuery: 'rotated' }],
  ['grouped-positions', { neighborTokens: 30, groupSize: 4, chunkTokens: 40 }],
  ['squeezed-attention', { clusters: 12, quantile: 0.6, observationTokens: 20 }],
  ['squeezed-attention', { clusters: 24, coarseClusters: 5, coarseQuantile: 0.3, observationTokens: 20 }],
];

/** Off the device, scores without what may differ by rounding between the two. */
async function read(ops: Ops, selection: Selection) {
  const [kept, scores, second] = await Promise.all([
    readKept(ops, selection),
    selection.score ? readScoreRows(ops, selection.score.rows) : [],
    selection.score?.secondary ? readScoreRows(ops, selection.score.secondary) : [],
  ]);
  const { scoreStart } = selection.score ?? {};
  return { kept, scores: [...scores, ...second], scoreStart, decidedBy: selection.decidedBy };
}

/** `asked`: which of the answer's queries are asked alone as well; all by default. */
function tests(
  backend: () => { text: Trace; digits: number },
  chosen = specs,
  asked?: readonly number[],
): void {
  const isAsked = (query: number): boolean => asked?.includes(query) ?? true;
  const approximate = chosen.filter(([, given]) => given.projection === 'closed-form');

  async function started([id, given]: (typeof specs)[number]): Promise<{
    probe: TraceRun;
    input: LayerInput;
  }> {
    const { text } = backend();
    const method = methodById(id);
    const context = { ...text, tokens: shape.tokens };
    const parameters = resolveParameters(method, given, context);
    return {
      probe: await startTraceRun(text, method, parameters, 140),
      input: layerInput(text.layerTraces[1]!, answer),
    };
  }

  async function expectSame(
    each: readonly Selection[] | null | undefined,
    one: (input: LayerInput) => Selection | null,
  ) {
    const { text, digits } = backend();
    expect(each).toHaveLength(answer.end - answer.start);
    for (const [i, selection] of each!.entries()) {
      if (!isAsked(i)) continue;
      const start = answer.start + i;
      const alone = one(layerInput(text.layerTraces[1]!, { start, end: start + 1 }));
      const [got, want] = [await read(text.ops, selection), await read(text.ops, alone!)];
      expect(got.scoreStart).toBe(want.scoreStart);
      expect(got.decidedBy).toBe(want.decidedBy);
      expect(got.scores.map((row) => row.length)).toEqual(want.scores.map((row) => row.length));
      const finite = want.scores.flatMap((row) => [...row].filter(Number.isFinite).map(Math.abs));
      const largest = Math.max(1e-30, ...finite);
      for (const [row, values] of got.scores.entries()) {
        for (const [j, value] of values.entries()) {
          // Those of keys that are seen in any case.
          if (!Number.isFinite(value)) expect(value).toBe(want.scores[row]![j]!);
          else expect(value / largest).toBeCloseTo(want.scores[row]![j]! / largest, digits);
        }
      }
      expect(got.kept, `query ${start}`).toEqual(want.kept);
      text.ops.release(...alone!.owned);
    }
    for (const { owned } of each!) text.ops.release(...owned);
  }

  it.each(chosen)('%s %o: each query keeps what it keeps alone', async (id, given) => {
    const { probe, input } = await started([id, given]);
    await expectSame(probe.run.each?.select(input), (one) => probe.run.select(one));
    probe.dispose();
  });

  it.each(approximate)('%s %o: and by the exact score', async (id, given) => {
    const { probe, input } = await started([id, given]);
    await expectSame(probe.run.each?.selectExactly?.(input), (one) => probe.run.selectExactly!(one));
    probe.dispose();
  });

  it.each(approximate)(
    '%s %o: scores by query are those of each alone, lower than every score beyond',
    async (id, given) => {
      const { text, digits } = backend();
      const { probe, input } = await started([id, given]);
      const each = probe.run.each!.queryScores!(input)!;
      for (const name of ['approximate', 'exact'] as const) {
        const rows = await readScoreRows(text.ops, each[name]);
        for (const [i, row] of rows.entries()) {
          if (!isAsked(i)) continue;
          const start = answer.start + i;
          const alone = probe.run.queryScores!(layerInput(text.layerTraces[1]!, { start, end: start + 1 }))!;
          expect(alone.count).toBe(each.count);
          const [want] = await readScoreRows(text.ops, alone[name]);
          expect(row.subarray(want!.length).every((value) => value === Math.fround(LOWEST_SCORE))).toBe(true);
          const largest = Math.max(...want!.map(Math.abs));
          for (const [j, value] of want!.entries()) {
            expect(row[j]! / largest).toBeCloseTo(value / largest, digits);
          }
          text.ops.release(...alone.owned);
        }
      }
      text.ops.release(...each.owned);
      probe.dispose();
    },
  );
}

describe('each query in one pass, on the CPU', () => {
  const text = fixtureText(createCpuOps({ simd: false }));
  tests(() => ({ text, digits: 6 }));

  it.each([
    ['esa', { ...lengths, projection: 'exact', selectedTokens: 140 }],
    ['esa', { ...lengths, projection: 'exact', localTokens: 170 }],
    ['oracle', { keepFraction: 0.9 }],
    ['oracle', { keepFraction: 1 }],
    ['quest', { denseLayers: 1 }],
    ['loki', { selectedTokens: 160 }],
    ['squeezed-attention', { quantile: 0 }],
  ])('%s %o: where queries keep everything they are asked one by one', async (id, given) => {
    const method = methodById(id);
    const parameters = resolveParameters(method, given, text);
    const { run, dispose } = await startTraceRun(text, method, parameters, 140);
    expect(run.each!.select(layerInput(text.layerTraces[0]!, answer))).toBeNull();
    dispose();
  });

  it.each([
    { selectedBlocks: 5, chunkTokens: 40 },
    { selectedBlocks: 40, chunkTokens: 7 },
    { selectedBlocks: 0, initTokens: 0, chunkTokens: 1 },
  ])('infllm %o: what follows goes by what queries of a pass have attended to', async (given) => {
    const method = methodById('infllm');
    const some = { initTokens: 4, localTokens: 20, blockTokens: 4, representativeTokens: 2 };
    const parameters = resolveParameters(method, { ...some, ...given }, text);
    const keptBy = async (isTogether: boolean) => {
      const answered = { ...text, answerStart: ANSWER_START };
      const started = await startTraceRun(answered, method, parameters, 140);
      const { run, blocks } = started;
      const alone: MethodRun = {
        select: (input) => run.select(input),
        attended: (...of) => run.attended!(...of),
        mark() {},
        rewind() {},
        dispose() {},
      };
      const made = [
        ...choose({ ...started, run: isTogether ? run : alone }, text.layerTraces[1]!, blocks, undefined),
      ];
      expect(made.at(-1)!.inOnePass).toBe(isTogether);
      const selections = made.flatMap((choices) => choices.selections);
      const kept = await Promise.all(
        selections.map(async (selection) => (await read(text.ops, selection)).kept),
      );
      for (const { owned } of selections) text.ops.release(...owned);
      started.dispose();
      return kept;
    };
    expect(await keptBy(true)).toEqual(await keptBy(false));
  });

  it('takes consecutive blocks of one query together, others one by one, and every block once', async () => {
    const method = methodById('esa');
    const parameters = resolveParameters(method, specs[0]![1], text);
    const { run, blocks, dispose } = await startTraceRun(
      { ...text, answerStart: ANSWER_START },
      method,
      parameters,
      140,
    );
    const made = [...choose({ run, inputOf: layerInput }, text.layerTraces[0]!, blocks, undefined)];
    expect(made.flatMap((choices) => choices.blocks)).toEqual(blocks);
    const last = made.at(-1)!;
    expect(last.inOnePass).toBe(true);
    expect(last.blocks).toHaveLength(answer.end - answer.start);
    expect(made.slice(0, -1).every(({ inOnePass, blocks: own }) => !inOnePass && own.length === 1)).toBe(
      true,
    );
    dispose();
  });
});

describeWebGpu('each query in one pass, on WebGPU', (gpu) => {
  let text: Trace;
  beforeAll(async () => {
    text = fixtureText(await createWebGpuOps({ device: gpu.device }));
  });
  afterAll(() => text?.ops.destroy());
  // Of each, the rows around the seams of tiles: one query alone costs as much as all of them in one pass.
  const chosen = [specs[0]!, specs[3]!, specs[5]!, specs[7]!, specs[9]!];
  tests(() => ({ text, digits: 5 }), chosen, [0, 1, 7, 8, 31, 32, answer.end - answer.start - 1]);
});
