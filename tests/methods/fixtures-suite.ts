/** Every fixture of the methods built here, on one backend. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ops } from '../../gpu/ops';
import { selectAll } from '../../src/measure/select-all';
import { readKept, readScores, visibleTokens } from '../../src/measure/selection-reader';
import { contextOf, layerInput, startTraceRun } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import type { Selection } from '../../src/methods/method';
import { type Parameters, resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { expectKept, expectScores, largestMagnitude } from './agreement';
import { expected, expectedKept, expectedScores, fixtureText, layerCount, runs, shape } from './fixture';

const runsOf = (prefix: string): string[] => Object.keys(runs).filter((name) => name.startsWith(prefix));
const layers = Array.from({ length: layerCount }, (_, layer) => layer);

/** `tolerance` as in tests/methods/agreement.ts. */
export function describeFixtures(backend: string, createOps: () => Promise<Ops>, tolerance: number): void {
  describe(`method fixtures on ${backend}`, () => {
    let ops: Ops;
    let text: Trace;

    beforeAll(async () => {
      ops = await createOps();
      text = fixtureText(ops);
    });
    afterAll(() => ops?.destroy());

    const parametersOf = (name: string, of = text): Parameters => {
      const { id, params } = runs[name]!.keyhole;
      return resolveParameters(methodById(id), params, contextOf(of));
    };

    /** What stays after all tokens, in one layer. */
    const keptAfterAll = async (name: string, layer: number, of = text) => {
      const { after: last } = await selectAll({
        text: of,
        method: methodById(runs[name]!.keyhole.id),
        parameters: parametersOf(name, of),
        recordedIndex: layer,
        evictAt: of.tokens,
        withScores: true,
      });
      return last;
    };

    it.each(runsOf('streaming_llm@'))('%s', async (name) => {
      for (const layer of layers) {
        const { kept, scores } = await keptAfterAll(name, layer);
        const reference = expectedKept(`${name}.kept.${layer}`);
        for (const [head, tokens] of reference.entries()) {
          const set = Math.floor((head * kept.sets.length) / reference.length);
          expect([...visibleTokens(kept, set, shape.tokens)]).toEqual(tokens);
        }
        expect(scores?.[0]).toEqual(expectedScores(`${name}.score.${layer}`)[0]);
      }
    });

    it.each(runsOf('lagkv_kvpress@'))('%s', async (name) => {
      for (const layer of layers) {
        const { kept, scores } = await keptAfterAll(name, layer);
        const reference = expectedScores(`${name}.score.${layer}`);
        expectScores(scores!, reference, tolerance);
        for (const [head, tokens] of expectedKept(`${name}.kept.${layer}`).entries()) {
          const actual = [...visibleTokens(kept, head, shape.tokens)];
          expectKept(actual, tokens, { score: reference[head]!, start: 0, band: tolerance });
        }
      }
    });

    it.each([...runsOf('snapkv@'), ...runsOf('adakv_snapkv@')])('%s', async (name) => {
      const { windowTokens } = runs[name]!.keyhole.params as Record<string, number>;
      for (const layer of layers) {
        const { kept, scores } = await keptAfterAll(name, layer);
        const reference = expectedScores(`${name}.score.${layer}`);
        // The window is protected, by one more than the largest score there and by more than any here.
        const scored = (rows: readonly Float32Array[]): Float32Array[] =>
          rows.map((row) => row.subarray(0, row.length - windowTokens!));
        expectScores(scored(scores!), scored(reference), tolerance);
        const band = tolerance * largestMagnitude(scored(reference));
        let compared = 0;
        for (const [head, tokens] of expectedKept(`${name}.kept.${layer}`).entries()) {
          const actual = [...visibleTokens(kept, head, shape.tokens)];
          compared += expectKept(actual, tokens, { score: reference[head]!, start: 0, band });
        }
        expect(compared).toBeGreaterThan(0.95 * reference.length * shape.tokens);
        const before = `${name}.kept_after_168.${layer}`;
        if (!expected.names().includes(before)) continue;
        const early = await keptAfterAll(name, layer, fixtureText(ops, 168));
        for (const [head, tokens] of expectedKept(before).entries())
          expect([...visibleTokens(early.kept, head, 168)]).toEqual(tokens);
      }
    });

    it.each(runsOf('lagkv_official@'))('%s', async (name) => {
      const steps = expected
        .names()
        .filter((tensor) => tensor.startsWith(`${name}.kept_after_`) && tensor.endsWith('.0'))
        .map((tensor) => Number(/kept_after_(\d+)\.0$/.exec(tensor)![1]));
      expect(steps.length).toBeGreaterThan(3);
      const compare = async (tensor: string, layer: number, of: Trace): Promise<void> => {
        const { kept, scores } = await keptAfterAll(name, layer, of);
        const { lagTokens, sinkTokens } = runs[name]!.keyhole.params as Record<string, number>;
        const reference = expectedKept(tensor);
        expect(kept.sets.length).toBe(reference.length);
        const band = tolerance * largestMagnitude(scores ?? []);
        for (const [head, tokens] of reference.entries()) {
          const actual = [...visibleTokens(kept, head, of.tokens)];
          const cut = scores && { score: scores[head]!, segmentTokens: lagTokens, start: sinkTokens!, band };
          expectKept(actual, tokens, cut);
        }
      };
      for (const tokens of steps)
        await compare(`${name}.kept_after_${tokens}.0`, 0, fixtureText(ops, tokens));
      for (const layer of layers) await compare(`${name}.kept.${layer}`, layer, text);
    });

    it.each(runsOf('esa@'))('%s', async (name) => {
      const method = methodById('esa');
      const parameters = parametersOf(name);
      const { run, blocks } = await startTraceRun(text, method, parameters, text.tokens);
      const referenceBlocks = [...expected.int32(`${name}.blocks`)];
      expect(blocks.flatMap(({ start, end }) => [start, end])).toEqual(referenceBlocks);
      for (const layer of layers) {
        for (const [b, block] of blocks.entries()) {
          const input = layerInput(text.layerTraces[layer]!, block);
          const selection = run.select(input);
          const kept = await readKept(ops, selection);
          const scores = await readScores(ops, selection, text.tokens);
          const secondary = await readScores(ops, withSecondary(selection), text.tokens);
          const actual = [...visibleTokens(kept, 0, block.end)];
          const reference = expectedKept(`${name}.kept.${layer}.${b}`)[0];
          const cut = scores && {
            score: scores[0]!,
            secondary: secondary![0]!,
            start: 0,
            band: tolerance * largestMagnitude(scores),
          };
          expectKept(actual, reference!, cut);
          if (block === blocks.at(-1)) {
            expect(reference).toEqual(expectedKept(`${name}.kept.${layer}`)[0]);
            const noScores = [new Float32Array(text.tokens).fill(Number.NaN)];
            expectScores(scores ?? noScores, expectedScores(`${name}.score.${layer}`), tolerance);
            await expectOutput(selection);
          }
          ops.release(...selection.owned);

          async function expectOutput(chosen: Selection): Promise<void> {
            const wanted = expected.float32(`${name}.output.${layer}`);
            const rows = block.end - block.start;
            const buffer = ops.allocate('f32', wanted.length, 'output');
            const lambda = ops.allocate('f32', shape.queryHeads * rows, 'log-sum-exp');
            const out = { ...input.query, buffer, offset: 0, headStride: rows * shape.headDimension };
            run.attend!(input, chosen, out, { buffer: lambda, offset: 0, headStride: rows });
            const output = await ops.readFloats(buffer);
            const largest = largestMagnitude([wanted]);
            const worst = output.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
            expect(worst).toBeLessThanOrEqual(tolerance * largest);
            ops.release(buffer, lambda);
          }
        }
      }
      run.dispose();
    });
  });
}

/** ESA's selection with F_s, which breaks ties of s′, in the place of the scores. */
function withSecondary({ score }: Selection): Pick<Selection, 'score'> {
  return { score: score && { ...score, rows: score.secondary! } };
}
