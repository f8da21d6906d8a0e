import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { headMajorRows } from '../../gpu/rows';
import { readKept, readScores } from '../../src/measure/selection-reader';
import { contextOf, layerInput, startTraceRun } from '../../src/measure/trace-run';
import { esa } from '../../src/methods/esa';
import type { MethodRun, Selection } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { esa1, esa2 } from '../golden/esa-1';
import { expectClose } from './agreement';
import { recordText, rotate } from './recorded';

const { heads, keyHeads, channels, queryRows, tokens } = esa1;

/** The tensors of ESA-1 as a text whose block of three queries begins at `start`; other queries are zero. */
function textWithBlockAt(start: number): Trace {
  const length = start + queryRows;
  const query = new Float32Array(heads * length * channels);
  for (let head = 0; head < heads; head++) {
    const from = head * queryRows * channels;
    query.set(esa1.query.subarray(from, from + queryRows * channels), (head * length + start) * channels);
  }
  const firstRows = (data: Float32Array): Float32Array => {
    const out = new Float32Array(keyHeads * length * channels);
    for (let head = 0; head < keyHeads; head++) {
      const from = head * tokens * channels;
      out.set(data.subarray(from, from + length * channels), head * length * channels);
    }
    return out;
  };
  const keyUnrotated = firstRows(esa1.key);
  return recordText(
    createCpuOps(),
    { tokens: length, queryHeads: heads, keyValueHeads: keyHeads, headDimension: channels },
    [
      {
        queryUnrotated: query,
        keyUnrotated,
        query: rotate(query, length, channels),
        key: rotate(keyUnrotated, length, channels),
        value: firstRows(esa1.value),
      },
    ],
  );
}

async function startEsa(text: Trace, given: Record<string, unknown>): Promise<MethodRun> {
  const parameters = resolveParameters(
    esa,
    {
      projection: 'exact',
      initTokens: esa1.initialTokens,
      localTokens: esa1.localTokens,
      chunkTokens: queryRows,
      selectedTokens: esa1.selectedTokens,
      proximity: esa1.radius,
      globalPosition: esa1.fixedPosition,
      ...given,
    },
    contextOf(text),
  );
  return (await startTraceRun(text, esa, parameters, text.tokens)).run;
}

async function attend(
  text: Trace,
  run: MethodRun,
  start: number,
  selection: Selection,
): Promise<Float32Array> {
  const { ops } = text;
  const input = layerInput(text.layerTraces[0]!, { start, end: start + queryRows });
  const out = ops.allocate('f32', heads * queryRows * channels, 'output');
  const buffer = ops.allocate('f32', heads * queryRows, 'log-sum-exp');
  const lambda = { buffer, offset: 0, headStride: queryRows };
  run.attend!(input, selection, headMajorRows(out, heads, queryRows, channels), lambda);
  return ops.readFloats(out);
}

describe('ESA-1', () => {
  const start = tokens - queryRows;
  const text = textWithBlockAt(start);
  const input = layerInput(text.layerTraces[0]!, { start, end: tokens });
  const middle = { start: esa1.initialTokens, end: esa1.initialTokens + esa1.middleTokens };

  it('scores, dilates and selects, ties falling to F_s and then to the earlier token', async () => {
    const run = await startEsa(text, {});
    const selection = run.select(input);
    expect(selection.candidates).toEqual(middle);
    const dilated = await readScores(text.ops, selection, tokens);
    expectClose(dilated![0]!.subarray(middle.start, middle.end), esa1.dilated);
    const rows = selection.score!.secondary!;
    const peaks = await readScores(text.ops, { score: { rows, scoreStart: middle.start } }, tokens);
    expectClose(peaks![0]!.subarray(middle.start, middle.end), esa1.peaks);
    const kept = await readKept(text.ops, selection);
    expect([...kept.sets[0]!]).toEqual([0, 1, ...esa1.selected.map((token) => token + middle.start)]);
  });

  it('scores un-rotated queries', async () => {
    const run = await startEsa(text, { scoreQuery: 'unrotated', proximity: 0 });
    const selection = run.select(input);
    const scores = await readScores(text.ops, selection, tokens);
    expectClose(scores![0]!.subarray(middle.start, middle.end), esa1.unrotated.peaks);
    const kept = await readKept(text.ops, selection);
    const wanted = esa1.unrotated.selectedWithoutDilation.map((token) => token + middle.start);
    expect([...kept.sets[0]!]).toEqual([0, 1, ...wanted]);
  });

  it('merges far and local attention', async () => {
    const run = await startEsa(text, {});
    const chosen = esa1.selectedByIndex.map((token) => token + middle.start);
    const list = Uint32Array.from([0, 1, ...chosen]);
    const selection = {
      ...run.select(input),
      list: {
        buffer: text.ops.upload(list, 'kept'),
        offset: 0,
        sets: 1,
        count: list.length,
        rowStride: list.length,
      },
    };
    const output = await attend(text, run, start, selection);
    const size = queryRows * channels;
    expectClose(output.subarray(0, size), esa1.output[0]);
    expectClose(output.subarray(3 * size, 4 * size), esa1.output[3]);
  });
});

describe('ESA-2, the seam', () => {
  it.each(esa2)('$precedingTokens tokens before the block', async ({ precedingTokens, output: wanted }) => {
    const text = textWithBlockAt(precedingTokens);
    const run = await startEsa(text, {});
    const block = { start: precedingTokens, end: precedingTokens + queryRows };
    const output = await attend(text, run, block.start, run.select(layerInput(text.layerTraces[0]!, block)));
    const size = queryRows * channels;
    expectClose(output.subarray(0, size), wanted[0]);
    expectClose(output.subarray(3 * size, 4 * size), wanted[3]);
  });
});
