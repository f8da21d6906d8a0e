import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { headMajorRows, sliceRows } from '../../../gpu/rows';
import { lag1 } from '../../golden/lag-1';

const ops = createCpuOps();

describe('LagKV', () => {
  test('the golden scores and ranks', async () => {
    const { keyHeads, tokens, channels, lagTokens } = lag1;
    const key = headMajorRows(ops.upload(lag1.key, 'key'), keyHeads, tokens, channels);
    const value = headMajorRows(ops.upload(lag1.value, 'value'), keyHeads, tokens, channels);
    const out = { buffer: ops.allocate('f32', 24, 'scores'), offset: 0, rows: 2, length: 12, rowStride: 12 };
    ops.lagScores({
      key: sliceRows(key, 1, 18),
      value: sliceRows(value, 1, 18),
      keyFactor: 1,
      valueFactor: 1,
      lagTokens,
      partitions: 3,
      out,
    });
    const scores = await ops.readFloats(out.buffer);
    expect(Math.max(...scores.map((x, i) => Math.abs(x - lag1.scores.flat()[i]!)))).toBeLessThan(2e-6);
    const ranks = { ...out, buffer: ops.allocate('f32', 24, 'ranks') };
    ops.segmentRanks({ input: out, segmentLength: lagTokens, out: ranks });
    expect([...(await ops.readFloats(ranks.buffer, 0, 12))]).toEqual(lag1.kvpressRanks.slice(1, 13));
  });
});
