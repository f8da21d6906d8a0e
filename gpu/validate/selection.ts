/** Argument checks of the operations that score and select keys. */
import { checkApart } from './overlap';
import type { Arguments } from './views';
import {
  asRows,
  checkBuffer,
  checkCount,
  checkEqual,
  checkFinite,
  checkGroups,
  checkInput,
  checkInteger,
  checkList,
  checkOutput,
  checkSpan,
  fail,
  scalarsAsRows,
} from './views';

export function checkSumHeads(a: Arguments<'sumHeads'>): void {
  checkInput('sumHeads', 'input', a.input);
  checkOutput('sumHeads', 'out', a.out, { rows: a.input.rows, channels: a.input.channels });
  checkGroups('sumHeads', 'input', a.input.heads, 'out', a.out.heads);
  if (a.factor !== undefined) checkFinite('sumHeads', 'factor', a.factor);
  checkApart('sumHeads', 'out', a.out, 'input', a.input);
}

export function checkPeakScores(a: Arguments<'peakScores'>): void {
  checkInput('peakScores', 'query', a.query, { heads: 1 });
  checkInput('peakScores', 'key', a.key, { heads: 1, channels: a.query.channels });
  checkSpan('peakScores', 'out', a.out, 'f32', a.outOffset, a.key.rows);
  const out = asRows({ buffer: a.out, offset: a.outOffset, rows: 1, length: a.key.rows, rowStride: 0 });
  checkApart('peakScores', 'out', out, 'query', a.query);
  checkApart('peakScores', 'out', out, 'key', a.key);
}

export function checkDilate(a: Arguments<'dilate'>): void {
  const input = asRows(a.input);
  const out = asRows(a.out);
  checkInput('dilate', 'input', input);
  checkOutput('dilate', 'out', out, input);
  checkCount('dilate', 'radius', a.radius);
  checkApart('dilate', 'out', out, 'input', input);
}

export function checkTopK(a: Arguments<'topK'>): void {
  const { score, secondary, out, tied } = a;
  checkInput('topK', 'score', asRows(score));
  if (secondary) checkInput('topK', 'secondary', asRows(secondary), asRows(score));
  checkCount('topK', 'count', a.count);
  checkCount('topK', 'indexBase', a.indexBase);
  checkList('topK', 'out', out);
  checkEqual('topK', 'out.sets', out.sets, score.rows);
  checkEqual('topK', 'out.count', out.count, Math.min(a.count, score.length));
  if (out.sets > 1 && out.rowStride < out.count) {
    fail('topK', `out.rowStride is ${out.rowStride}, so lists of ${out.count} overlap`);
  }
  if (tied) checkSpan('topK', 'tied', tied.buffer, 'u32', tied.offset, score.rows);
}

export function checkLagScores(a: Arguments<'lagScores'>): void {
  const { key, value, lagTokens, partitions } = a;
  checkInput('lagScores', 'key', key);
  checkInput('lagScores', 'value', value, { heads: key.heads });
  checkCount('lagScores', 'lagTokens', lagTokens);
  checkCount('lagScores', 'partitions', partitions);
  checkFinite('lagScores', 'keyFactor', a.keyFactor);
  checkFinite('lagScores', 'valueFactor', a.valueFactor);
  const out = asRows(a.out);
  checkOutput('lagScores', 'out', out, { rows: key.heads, channels: partitions * lagTokens });
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
    checkApart('lagScores', 'out', out, argument, view);
  }
}

export function checkSegmentRanks(a: Arguments<'segmentRanks'>): void {
  const input = asRows(a.input);
  const out = asRows(a.out);
  checkInput('segmentRanks', 'input', input);
  checkOutput('segmentRanks', 'out', out, input);
  checkCount('segmentRanks', 'segmentLength', a.segmentLength);
  if (a.input.length > 0 && (a.segmentLength === 0 || a.input.length % a.segmentLength !== 0)) {
    fail(
      'segmentRanks',
      `input.length is ${a.input.length}, no multiple of the segment length ${a.segmentLength}`,
    );
  }
  checkApart('segmentRanks', 'out', out, 'input', input);
}

/** What all operations have in common that recompute attention weights from a stored log-sum-exp. */
export function checkWeightInputs(
  operation: string,
  a: Pick<Arguments<'attentionWeights'>, 'query' | 'key' | 'scale' | 'logSumExp' | 'causalOffset'>,
): void {
  checkInput(operation, 'query', a.query);
  checkInput(operation, 'key', a.key, { channels: a.query.channels });
  checkGroups(operation, 'query', a.query.heads, 'key', a.key.heads);
  checkFinite(operation, 'scale', a.scale);
  checkInteger(operation, 'causalOffset', a.causalOffset);
  checkInput(operation, 'logSumExp', scalarsAsRows(a.logSumExp, a.query.heads, a.query.rows));
}

export function checkAttentionColumnSums(a: Arguments<'attentionColumnSums'>): void {
  checkWeightInputs('attentionColumnSums', a);
  const out = asRows(a.out);
  checkOutput('attentionColumnSums', 'out', out, { rows: a.key.heads, channels: a.key.rows });
  checkApart('attentionColumnSums', 'out', out, 'query', a.query);
  checkApart('attentionColumnSums', 'out', out, 'key', a.key);
}
