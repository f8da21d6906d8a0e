import type { ScoreRows } from '../../arguments';
import type { DeviceBuffer, Rows } from '../../rows';
import {
  asRows,
  checkApart,
  checkBuffer,
  checkCount,
  checkFinite,
  checkInput,
  checkScores,
  fail,
} from '../../validate';

/**
 * LagKV Eqs. 5–10 on consecutive partitions of `lagTokens` rows from row 0 of key and value [G, ≥(partitions+1)·L, d]:
 * partition p is scored against p+1. With Z̄ = (Z − min)/max(max − min, 1e-12) per channel of the next partition and
 * σ = std over channels (ddof 1), score_Z = softmax over the partition of σ; out[g, p·L + i] = keyFactor·score_K +
 * valueFactor·score_V. degenerate[0] += number of (head, partition, channel, K or V) whose range was below 1e-12.
 */
export interface LagScoresArguments {
  readonly key: Rows;
  readonly value: Rows;
  readonly keyFactor: number;
  readonly valueFactor: number;
  readonly lagTokens: number;
  readonly partitions: number;
  readonly out: ScoreRows;
  readonly degenerate?: DeviceBuffer;
}

export function checkLagScores(a: LagScoresArguments): void {
  const { key, value, lagTokens, partitions } = a;
  checkInput('lagScores', 'key', key);
  checkInput('lagScores', 'value', value, { heads: key.heads });
  checkCount('lagScores', 'lagTokens', lagTokens);
  checkCount('lagScores', 'partitions', partitions);
  checkFinite('lagScores', 'keyFactor', a.keyFactor);
  checkFinite('lagScores', 'valueFactor', a.valueFactor);
  checkScores('lagScores', 'out', a.out, 'written', { rows: key.heads, length: partitions * lagTokens });
  if (a.degenerate) checkBuffer('lagScores', 'degenerate', a.degenerate, 'u32', 1);
  if (partitions === 0 || lagTokens === 0) return;
  const needed = (partitions + 1) * lagTokens;
  for (const [argument, view] of [
    ['key', key],
    ['value', value],
  ] as const) {
    if (view.rows < needed) {
      fail('lagScores', `${argument} has ${view.rows} rows, but ${partitions} partitions need ${needed}`);
    }
    if (view.channels < 2) {
      fail('lagScores', `${argument} has ${view.channels} channels, but a deviation over them needs 2`);
    }
    checkApart('lagScores', 'out', asRows(a.out), argument, view);
  }
}
