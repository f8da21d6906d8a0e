import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { selectAll } from '../../src/measure/select-all';
import { visibleTokens } from '../../src/measure/selection-reader';
import { contextOf, layerInput, startTraceRun } from '../../src/measure/trace-run';
import { lagkv } from '../../src/methods/lagkv';
import { resolveParameters } from '../../src/methods/parameters';
import { lag1 } from '../golden/lag-1';
import { expectClose } from './agreement';
import { randomLayers, recordText } from './recorded';

const { keyHeads, tokens, channels, sinkTokens, lagTokens } = lag1;
const shape = { tokens, queryHeads: keyHeads, keyValueHeads: keyHeads, headDimension: channels };
const query = new Float32Array(lag1.key.length);

/** LAG-1 scores keys as cached: no rotation of ours comes in between. */
const text = recordText(createCpuOps(), shape, [{ query, key: lag1.key, value: lag1.value }], { rope: null });

const select = (given: Record<string, unknown>) =>
  selectAll({
    text,
    method: lagkv,
    parameters: resolveParameters(lagkv, { sinkTokens, lagTokens, ...given }, contextOf(text)),
    traceIndex: 0,
    evictAt: tokens,
    withScores: true,
  });

describe('LAG-1', () => {
  it('keeps the official positions, with the official scores', async () => {
    const { after } = await select({ keepFraction: lag1.retainFraction });
    lag1.scores.forEach((wanted, head) => {
      const scored = after.scores![head]!.subarray(sinkTokens, sinkTokens + wanted.length);
      expectClose(scored, wanted);
      expect([...visibleTokens(after.kept, head, tokens)]).toEqual(lag1.kept[head]);
    });
  });

  it('ranks as kvpress does', async () => {
    const { after } = await select({ variant: 'kvpress', keepFraction: 0.5 });
    expect([...after.scores![0]!]).toEqual(lag1.kvpressRanks);
  });

  it('breaks rank ties by the raw score, then by the earlier token', async () => {
    // 1 sink and 6 unscored tokens, 0.75 in each partition (tokens 2, 6, 10), and then the rank .5 tokens 1, 7 and 11.
    const keptOf = async (count: number): Promise<number[]> => {
      const { after } = await select({ variant: 'kvpress', keepFraction: (count + 0.5) / tokens });
      return [...after.kept.sets[0]!].filter((token) => token > 0 && token < 13);
    };
    const raw = lag1.kvpressCrossScores;
    const byRawScore = [1, 7, 11].sort((a, b) => raw[b]! - raw[a]!);
    expect(await keptOf(10)).toEqual([2, 6, 10]);
    expect(await keptOf(11)).toEqual([2, 6, 10, byRawScore[0]].sort((a, b) => a! - b!));
    expect(await keptOf(12)).toEqual([2, 6, 10, byRawScore[0], byRawScore[1]].sort((a, b) => a! - b!));
    // Too small for what is protected: the earliest of it stay.
    const { after } = await select({ variant: 'kvpress', keepFraction: 3.5 / tokens });
    expect([...after.kept.sets[0]!]).toEqual([0, 13, 14]);
  });

  it('stores as many keys as the official class when tokens come one at a time', async () => {
    const length = lag1.storedLengths.length;
    const long = recordText(
      createCpuOps(),
      { ...shape, tokens: length },
      randomLayers({ ...shape, tokens: length }, 1, 3),
    );
    const given = { sinkTokens, lagTokens, keepFraction: lag1.retainFraction };
    const parameters = resolveParameters(lagkv, given, contextOf(long));
    const { run } = await startTraceRun(long, lagkv, parameters, length);
    const stored = lag1.storedLengths.map((_, i) => {
      const read = i + 1;
      const { list, rangeStart } = run.select(layerInput(long.layerTraces[0]!, { start: read, end: read }));
      return (list?.count ?? 0) + read - rangeStart;
    });
    expect(stored).toEqual(lag1.storedLengths);
  });
});
