/** Every fixture of the methods built here, on one backend. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ops } from '../../gpu/ops';
import { headMajorRows, matrixRows, type Rows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { selectAll } from '../../src/measure/select-all';
import {
  readKept,
  readLists,
  readScoreRows,
  readScores,
  setOfHead,
  visibleTokens,
} from '../../src/measure/selection-reader';
import { contextOf, layerInput, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { compressionMatrix } from '../../src/methods/freqkv/compression-matrix';
import { cacheIn } from '../../src/methods/freqkv/schema';
import type { Selection } from '../../src/methods/method';
import { type Parameters, resolveParameters } from '../../src/methods/parameters';
import { attendSelection } from '../../src/model/decoder/attend';
import type { Trace } from '../../src/trace/trace';
import { expectKept, expectScores, largestMagnitude } from './agreement';
import {
  expected,
  expectedKept,
  expectedScores,
  fixtureText,
  inputs,
  layerCount,
  runs,
  shape,
} from './fixture';

const runsOf = (prefix: string): string[] => Object.keys(runs).filter((name) => name.startsWith(prefix));
/** Queries of which methods-2.* has mass and outputs. */
const LAST_QUERIES = 24;
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

    it.each(runsOf('tova@'))('%s', async (name) => {
      for (const layer of layers) {
        const { kept, scores } = await keptAfterAll(name, layer);
        // The reference repeats the layer's scores and choice for every KV head.
        const [reference] = expectedScores(`${name}.score.${layer}`);
        const wanted = expectedKept(`${name}.kept.${layer}`);
        expect([scores!.length, kept.sets.length]).toEqual([1, 1]);
        // The last token is protected, by one more than the largest score there and by more than any here.
        const scored = (row: Float32Array): Float32Array[] => [row.subarray(0, row.length - 1)];
        expectScores(scored(scores![0]!), scored(reference!), tolerance);
        const band = tolerance * largestMagnitude(scored(reference!));
        const actual = [...visibleTokens(kept, 0, shape.tokens)];
        for (const tokens of wanted) {
          expect(tokens).toEqual(wanted[0]);
          const compared = expectKept(actual, tokens, { score: reference!, start: 0, band });
          expect(compared).toBeGreaterThan(0.95 * shape.tokens);
        }
      }
    });

    /** What the last 24 queries see and give, each alone. `inspect` is told what the run chose. */
    const runLastQueries = async (
      name: string,
      layer: number,
      inspect: (query: number, selection: Selection) => Promise<void> = async () => {},
    ): Promise<{ mass: number; output: number }> => {
      const { queryHeads: H, headDimension: d, tokens } = shape;
      const evictAt = tokens - LAST_QUERIES;
      const recorded = text.layerTraces[layer]!;
      const started = await startTraceRun(
        text,
        methodById(runs[name]!.keyhole.id),
        parametersOf(name),
        evictAt,
      );
      const { run, blocks } = started;
      const attention = inputs.float32(`attention.${layer}`);
      const [mass, output] = [
        expected.float32(`${name}.mass.${layer}`),
        expected.float32(`${name}.output.${layer}`),
      ];
      const buffer = ops.allocate('f32', H * d, 'output');
      const lambda = ops.allocate('f32', H, 'log-sum-exp');
      const logSumExp = { buffer: lambda, offset: 0, headStride: 1 };
      const worst = { mass: 0, output: 0 };
      for (const block of blocks) {
        const input = started.inputOf(recorded, block);
        const selection = run.select(input);
        const at = block.start - evictAt;
        if (at >= 0) {
          const out = headMajorRows(buffer, H, 1, d);
          if (run.attend) run.attend(input, selection, out, logSumExp);
          else attendSelection(ops, input, selection, text.attentionScale, out, logSumExp);
        }
        run.attended?.(input, selection, at >= 0 ? logSumExp : null);
        if (at >= 0) {
          const kept = await readKept(ops, selection, H);
          const given = await ops.readFloats(buffer);
          for (let head = 0; head < H; head++) {
            const set = setOfHead(kept.sets, head, H);
            let sum = 0;
            for (const token of visibleTokens(kept, set, block.end))
              sum += attention[(head * tokens + block.start) * tokens + token]!;
            worst.mass = Math.max(worst.mass, Math.abs(sum - mass[head * LAST_QUERIES + at]!));
            for (let c = 0; c < d; c++) {
              const wanted = output[(head * LAST_QUERIES + at) * d + c]!;
              worst.output = Math.max(worst.output, Math.abs(given[head * d + c]! - wanted));
            }
          }
          await inspect(block.start, selection);
        }
        ops.release(...selection.owned);
        await ops.pace();
      }
      await started.checkScores();
      started.dispose();
      ops.release(buffer, lambda);
      return { mass: worst.mass, output: worst.output / largestMagnitude([output]) };
    };

    it.each(runsOf('quest@'))('%s', async (name) => {
      const { pageTokens } = runs[name]!.keyhole.params as Record<string, number>;
      for (const layer of layers) {
        const reference = expectedScores(`${name}.score.${layer}`);
        const [sets, , count] = expected.shape(`${name}.pages.${layer}`);
        const pages = expected.int32(`${name}.pages.${layer}`);
        const worst = await runLastQueries(name, layer, async (query, selection) => {
          const { sets: kept } = await readKept(ops, selection);
          const scores = await readScoreRows(ops, selection.score!.rows);
          const at = query - (shape.tokens - LAST_QUERIES);
          if (query === shape.tokens - 1) expectScores(scores, reference, tolerance);
          const band = tolerance * largestMagnitude(scores);
          for (let set = 0; set < sets!; set++) {
            const first = (set * LAST_QUERIES + at) * count!;
            const chosen = [...new Set([...kept[set]!].map((token) => Math.floor(token / pageTokens!)))];
            const wanted = [...pages.subarray(first, first + count!)].sort((a, b) => a - b);
            expectKept(chosen, wanted, { score: scores[set]!, start: 0, band });
          }
        });
        expect(worst.mass).toBeLessThanOrEqual(tolerance);
        expect(worst.output).toBeLessThanOrEqual(tolerance);
        const { kept } = await keptAfterAll(name, layer);
        expect(kept.sets.map((set) => [...set])).toEqual(expectedKept(`${name}.kept.${layer}`));
      }
    });

    it.each(runsOf('h2o@'))('%s', async (name) => {
      const { recentTokens } = runs[name]!.keyhole.params as Record<string, number>;
      const compare = async (tensor: string, layer: number, of: Trace): Promise<void> => {
        const { kept, scores } = await keptAfterAll(name, layer, of);
        expect(kept.sets).toHaveLength(shape.queryHeads);
        for (const [head, tokens] of expectedKept(tensor).entries()) {
          const actual = [...visibleTokens(kept, head, of.tokens)];
          if (!scores) expect(actual).toEqual(tokens);
          else {
            // The recent tokens have scores that decide nothing.
            const isOpen = (token: number): boolean => token < of.tokens - recentTokens!;
            const score = scores[head]!.map((value, token) => (isOpen(token) ? value : Number.NaN));
            const band = tolerance * largestMagnitude([score.filter((value) => !Number.isNaN(value))]);
            expectKept(actual, tokens, { score, start: 0, band });
          }
        }
        if (of === text) expectScores(scores!, expectedScores(`${name}.score.${layer}`), tolerance);
      };
      const steps = expected
        .names()
        .filter((tensor) => tensor.startsWith(`${name}.kept_after_`))
        .map((tensor) => /kept_after_(\d+)\.(\d+)$/.exec(tensor)!);
      expect(steps.length).toBeGreaterThan(3);
      for (const [, tokens, layer] of steps) {
        await compare(
          `${name}.kept_after_${tokens}.${layer}`,
          Number(layer),
          fixtureText(ops, Number(tokens)),
        );
      }
      for (const layer of layers) {
        await compare(`${name}.kept.${layer}`, layer, text);
        const worst = await runLastQueries(name, layer);
        expect(worst.mass).toBeLessThanOrEqual(tolerance);
        expect(worst.output).toBeLessThanOrEqual(tolerance);
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

    describe.each(runsOf('freqkv@'))('%s', (name) => {
      const method = methodById('freqkv');
      /** Largest difference of what is on the device from the reference, which is [heads, …, channels] without gaps. */
      const expectClose = (actual: Float32Array, tensor: string, most: number): void => {
        const wanted = expected.float32(tensor);
        expect(actual).toHaveLength(wanted.length);
        expect(largestMagnitude([actual.map((value, i) => value - wanted[i]!)])).toBeLessThanOrEqual(most);
      };
      /** The cache before a block, [G, n, d] of whatever a token's rows are. */
      const readCache = async (
        { list, made, rangeStart }: Selection,
        tokens: Rows,
        mixed: Rows | undefined,
      ) => {
        const scratch = new Scratch(ops);
        const sinks = list?.count ?? 0;
        const recent = tokens.rows - rangeStart;
        const before = sinks + (made?.key.rows ?? 0);
        const cache = scratch.rows(tokens.heads, before + recent, tokens.channels, 'cache');
        if (list) expect([...(await readLists(ops, list))[0]!]).toEqual([...Array(sinks).keys()]);
        ops.copyRows({ input: sliceRows(tokens, 0, sinks), out: sliceRows(cache, 0, sinks) });
        if (mixed) ops.copyRows({ input: mixed, out: sliceRows(cache, sinks, mixed.rows) });
        ops.copyRows({
          input: sliceRows(tokens, rangeStart, recent),
          out: sliceRows(cache, before, recent),
        });
        const read = ops.readFloats(cache.buffer);
        scratch.release();
        return read;
      };

      it('reads the text in the steps of the official forward pass', () => {
        const blocks = method.blocks(parametersOf(name), text.tokens, text.tokens, contextOf(text));
        expect(blocks.flatMap(({ start, end }) => [start, end])).toEqual([
          ...expected.int32(`${name}.steps`),
        ]);
      });

      it('mixes tokens as dct_compress does', async () => {
        const { spanRows, mixedRows } = cacheIn(parametersOf(name), 0);
        expect(expected.shape(`${name}.matrix`)).toEqual([mixedRows, spanRows]);
        expectClose(compressionMatrix(spanRows, mixedRows), `${name}.matrix`, 1e-7);
        // A cache of unit vectors shows what its rows are made of.
        const { tokens } = text;
        const run = method.start(methodContext(text, tokens), parametersOf(name));
        const unit = Float32Array.from({ length: tokens * tokens }, (_, i) =>
          i % (tokens + 1) === 0 ? 1 : 0,
        );
        const scratch = new Scratch(ops);
        const rows = matrixRows(scratch.upload(unit, 'unit vectors'), tokens, tokens);
        const block = { start: tokens, end: tokens };
        const recorded = layerInput(text.layerTraces[0]!, block);
        const input = { ...recorded, keyUnrotated: recorded.keyUnrotated, value: rows };
        const selection = run.select(input);
        expectClose(await readCache(selection, rows, selection.made?.value), `${name}.mixing`, 1e-6);
        ops.release(...selection.owned);
        scratch.release();
        run.dispose();
      });

      it.each(layers)('has the cache and the last outputs of layer %i', async (layer) => {
        const { tokens } = text;
        const recorded = text.layerTraces[layer]!;
        const { run, blocks } = await startTraceRun(text, method, parametersOf(name), tokens);
        const scratch = new Scratch(ops);
        const { queryHeads, headDimension } = shape;
        const out = scratch.rows(queryHeads, tokens, headDimension, 'outputs');
        const logSumExp = scratch.scalars(queryHeads, tokens, 'log-sum-exp');
        for (const block of blocks) {
          const input = layerInput(recorded, block);
          const selection = run.select(input);
          const rows = sliceRows(out, block.start, block.end - block.start);
          run.attend!(input, selection, rows, { ...logSumExp, offset: block.start });
          ops.release(...selection.owned);
        }
        const last = sliceRows(out, tokens - 24, 24);
        const dense = scratch.rows(queryHeads, 24, headDimension, 'last outputs');
        ops.copyRows({ input: last, out: dense });
        expectClose(await ops.readFloats(dense.buffer), `${name}.output.${layer}`, 2e-6);
        const selection = run.select(layerInput(recorded, { start: tokens, end: tokens }));
        const { made } = selection;
        expectClose(
          await readCache(selection, recorded.keyUnrotated!, made?.key),
          `${name}.key.${layer}`,
          2e-6,
        );
        expectClose(await readCache(selection, recorded.value, made?.value), `${name}.value.${layer}`, 2e-6);
        ops.release(...selection.owned);
        scratch.release();
        run.dispose();
      });
    });
  });
}

/** ESA's selection with F_s, which breaks ties of s′, in the place of the scores. */
function withSecondary({ score }: Selection): Pick<Selection, 'score'> {
  return { score: score && { ...score, rows: score.secondary! } };
}
