/** Layers that take over another's choice: in whichever order they are looked at, and where that other one is not there. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { UserError } from '../../src/base/user-error';
import { selectAll } from '../../src/measure/select-all';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { chunkkv } from '../../src/methods/chunkkv';
import { resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { randomLayers, recordText } from './recorded';

const shape = { tokens: 60, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const EVICT_AT = 47;
const given = { windowTokens: 5, poolKernel: 3, chunkTokens: 4, keepFraction: 0.4, reuseLayers: 2 };
const text = recordText(createCpuOps(), shape, randomLayers(shape, 5, 3));
const parametersOf = (of: Trace, more = {}) =>
  resolveParameters(chunkkv, { ...given, ...more }, contextOf(of));

/** What the last query sees, by layer, the layers looked at in this order by one run. */
async function keptInOrder(order: readonly number[], more = {}): Promise<Map<number, number[][]>> {
  const started = await startTraceRun(text, chunkkv, parametersOf(text, more), EVICT_AT);
  const kept = new Map<number, number[][]>();
  for (const index of order) {
    for (const block of started.blocks) {
      const selection = started.run.select(started.inputOf(text.layerTraces[index]!, block));
      const { sets } = await readKept(text.ops, selection);
      kept.set(
        index,
        sets.map((set) => [...set]),
      );
      text.ops.release(...selection.owned);
    }
    started.memo.renew();
  }
  started.dispose();
  return kept;
}

it('keeps in a layer what its leader keeps, in whichever order layers are looked at', async () => {
  const before = text.ops.memory().bytes;
  const inOrder = await keptInOrder([0, 1, 2, 3, 4]);
  expect(await keptInOrder([3, 4, 1, 2, 0])).toEqual(new Map(inOrder));
  const alone = await keptInOrder([0, 1, 2, 3, 4], { reuseLayers: 1 });
  for (const layer of [0, 1, 2, 3, 4]) expect(inOrder.get(layer)).toEqual(alone.get(layer - (layer % 2)));
  expect(alone.get(1)).not.toEqual(alone.get(0));
  expect(text.ops.memory().bytes, 'nothing stays').toBe(before);
});

it('keeps the same where one layer alone is asked for', async () => {
  const inOrder = await keptInOrder([0, 1, 2, 3, 4]);
  const request = { text, method: chunkkv, parameters: parametersOf(text), evictAt: EVICT_AT };
  for (const traceIndex of [3, 0]) {
    const { after } = await selectAll({ ...request, traceIndex, withScores: true });
    expect(after.kept.sets.map((set) => [...set])).toEqual(inOrder.get(traceIndex));
  }
});

it('keeps whole chunks, the last one short, and as many as a fraction of them', async () => {
  for (const [set] of (await keptInOrder([0, 2])).values()) {
    const chunks = new Set(set!.map((token) => Math.floor(token / 4)));
    expect(chunks.size).toBe(Math.floor(0.4 * 12));
    expect(set).toHaveLength([...chunks].reduce((sum, chunk) => sum + Math.min(4, EVICT_AT - 4 * chunk), 0));
  }
});

it('refuses a capture without the layer that chooses', async () => {
  const part = { ...text, layerTraces: text.layerTraces.slice(1) };
  const started = await startTraceRun(part, chunkkv, parametersOf(part), EVICT_AT);
  const input = started.inputOf(part.layerTraces[0]!, { start: EVICT_AT, end: shape.tokens });
  expect(() => started.run.select(input)).toThrow(UserError);
  started.dispose();
  expect(() => parametersOf(text, { reuseLayers: [1, 2, 2, 2, 2] })).toThrow(/one number/);
});
