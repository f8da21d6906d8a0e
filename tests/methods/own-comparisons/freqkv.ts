/** What the cache is made of, and what it holds: entries are mixtures of tokens, so no set of tokens is kept. */
import { matrixRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { readLists } from '../../../src/measure/selection-reader';
import { contextOf, layerInput, methodContext, startTraceRun } from '../../../src/measure/trace-run';
import { compressionMatrix } from '../../../src/methods/freqkv/compression-matrix';
import { cacheIn } from '../../../src/methods/freqkv/schema';
import type { Selection } from '../../../src/methods/method';
import { largestMagnitude } from '../agreement';
import { expected } from '../fixture';
import type { OwnComparison, RunFixture } from '../own-comparison';

const LAST_QUERIES = 24;

export const own: OwnComparison = {
  runs: 'freqkv@',
  tensors: ['steps', 'matrix', 'mixing', 'key', 'value', 'output'],
  async compare(fixture) {
    const { name, text, method, parameters, fail } = fixture;
    const blocks = method.blocks(parameters, text.tokens, text.tokens, contextOf(text));
    const steps = [...expected.int32(`${name}.steps`)];
    if (String(blocks.flatMap(({ start, end }) => [start, end])) !== String(steps))
      fail(`reads the text in the steps ${blocks}`);
    await compareMixing(fixture);
    for (const layer of text.layerTraces.keys()) await compareCache(fixture, layer);
  },
};

/** That tokens are mixed as dct_compress does. */
async function compareMixing(fixture: RunFixture): Promise<void> {
  const { name, ops, text, method, parameters } = fixture;
  const { spanRows, mixedRows } = cacheIn(parameters, 0);
  if (String(expected.shape(`${name}.matrix`)) !== String([mixedRows, spanRows]))
    fixture.fail(`mixes ${spanRows} rows to ${mixedRows}`);
  compareClose(fixture, compressionMatrix(spanRows, mixedRows), 'matrix', 'matrix', 1e-7);
  // A cache of unit vectors shows what its rows are made of.
  const { tokens } = text;
  const run = method.start(methodContext(text, tokens), parameters);
  const unit = Float32Array.from({ length: tokens * tokens }, (_, i) => (i % (tokens + 1) === 0 ? 1 : 0));
  const scratch = new Scratch(ops);
  const rows = matrixRows(scratch.upload(unit, 'unit vectors'), tokens, tokens);
  const recorded = layerInput(text.layerTraces[0]!, { start: tokens, end: tokens });
  const selection = run.select({ ...recorded, keyUnrotated: recorded.keyUnrotated, value: rows });
  const cache = await readCache(fixture, selection, rows, selection.made?.value);
  compareClose(fixture, cache, 'mixing', 'mixing', 1e-6);
  ops.release(...selection.owned);
  scratch.release();
  run.dispose();
}

/** The cache after the text, and the outputs of its last queries. */
async function compareCache(fixture: RunFixture, layer: number): Promise<void> {
  const { ops, text, method, parameters } = fixture;
  const { tokens, queryHeads, headDimension } = text;
  const recorded = text.layerTraces[layer]!;
  const { run, blocks } = await startTraceRun(text, method, parameters, tokens);
  const scratch = new Scratch(ops);
  const out = scratch.rows(queryHeads, tokens, headDimension, 'outputs');
  const logSumExp = scratch.scalars(queryHeads, tokens, 'log-sum-exp');
  for (const block of blocks) {
    const input = layerInput(recorded, block);
    const selection = run.select(input);
    const rows = sliceRows(out, block.start, block.end - block.start);
    run.attend!(input, selection, rows, { ...logSumExp, offset: block.start });
    ops.release(...selection.owned);
  }
  const last = sliceRows(out, tokens - LAST_QUERIES, LAST_QUERIES);
  const dense = scratch.rows(queryHeads, LAST_QUERIES, headDimension, 'last outputs');
  ops.copyRows({ input: last, out: dense });
  compareClose(fixture, await ops.readFloats(dense.buffer), `output.${layer}`, 'output', 2e-6);
  const selection = run.select(layerInput(recorded, { start: tokens, end: tokens }));
  const { made } = selection;
  const keys = await readCache(fixture, selection, recorded.keyUnrotated!, made?.key);
  compareClose(fixture, keys, `key.${layer}`, 'keys', 2e-6);
  const values = await readCache(fixture, selection, recorded.value, made?.value);
  compareClose(fixture, values, `value.${layer}`, 'values', 2e-6);
  ops.release(...selection.owned);
  scratch.release();
  run.dispose();
}

/** What is on the device against the reference, which is [heads, …, channels] without gaps. */
function compareClose(
  { name, fail, report }: RunFixture,
  actual: Float32Array,
  tensor: string,
  what: string,
  most: number,
): void {
  const wanted = expected.float32(`${name}.${tensor}`);
  if (actual.length !== wanted.length) fail(`${tensor} has ${actual.length} numbers, not ${wanted.length}`);
  const difference = largestMagnitude([actual.map((value, i) => value - wanted[i]!)]);
  report(what, difference);
  if (!(difference <= most)) fail(`${tensor} differs by ${difference}, more than ${most}`);
}

/** The cache before a block, [G, n, d] of whatever a token's rows are. */
async function readCache(
  { ops, fail }: RunFixture,
  { list, made, rangeStart }: Selection,
  tokens: Rows,
  mixed: Rows | undefined,
): Promise<Float32Array> {
  const scratch = new Scratch(ops);
  const sinks = list?.count ?? 0;
  const recent = tokens.rows - rangeStart;
  const before = sinks + (made?.key.rows ?? 0);
  const cache = scratch.rows(tokens.heads, before + recent, tokens.channels, 'cache');
  const listed = list ? [...(await readLists(ops, list))[0]!] : [];
  if (listed.some((token, i) => token !== i)) fail(`the sinks are ${listed}`);
  ops.copyRows({ input: sliceRows(tokens, 0, sinks), out: sliceRows(cache, 0, sinks) });
  if (mixed) ops.copyRows({ input: mixed, out: sliceRows(cache, sinks, mixed.rows) });
  ops.copyRows({ input: sliceRows(tokens, rangeStart, recent), out: sliceRows(cache, before, recent) });
  const read = ops.readFloats(cache.buffer);
  scratch.release();
  return read;
}
