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
  checkScores,
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

export function checkPeakScoresByQuery(a: Arguments<'peakScoresByQuery'>): void {
  checkInput('peakScoresByQuery', 'query', a.query, { heads: 1 });
  checkInput('peakScoresByQuery', 'key', a.key, { heads: 1, channels: a.query.channels });
  checkCount('peakScoresByQuery', 'firstLength', a.firstLength);
  checkScores('peakScoresByQuery', 'out', a.out, 'written', { rows: a.query.rows, length: a.key.rows });
  const out = asRows(a.out);
  checkApart('peakScoresByQuery', 'out', out, 'query', a.query);
  checkApart('peakScoresByQuery', 'out', out, 'key', a.key);
}

export function checkDilate(a: Arguments<'dilate'>): void {
  checkScores('dilate', 'input', a.input, 'read');
  checkScores('dilate', 'out', a.out, 'written', a.input);
  checkCount('dilate', 'radius', a.radius);
  if (a.firstLength !== undefined) checkCount('dilate', 'firstLength', a.firstLength);
  checkApart('dilate', 'out', asRows(a.out), 'input', asRows(a.input));
}

export function checkTopK(a: Arguments<'topK'>): void {
  const { score, secondary, out, tied } = a;
  checkScores('topK', 'score', score, 'read');
  if (secondary) checkScores('topK', 'secondary', secondary, 'read', score);
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

export function checkSegmentRanks(a: Arguments<'segmentRanks'>): void {
  checkScores('segmentRanks', 'input', a.input, 'read');
  checkScores('segmentRanks', 'out', a.out, 'written', a.input);
  checkCount('segmentRanks', 'segmentLength', a.segmentLength);
  if (a.input.length > 0 && (a.segmentLength === 0 || a.input.length % a.segmentLength !== 0)) {
    fail(
      'segmentRanks',
      `input.length is ${a.input.length}, no multiple of the segment length ${a.segmentLength}`,
    );
  }
  checkApart('segmentRanks', 'out', asRows(a.out), 'input', asRows(a.input));
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
  checkScores('attentionColumnSums', 'out', a.out, 'written', { rows: a.key.heads, length: a.key.rows });
  const out = asRows(a.out);
  checkApart('attentionColumnSums', 'out', out, 'query', a.query);
  checkApart('attentionColumnSums', 'out', out, 'key', a.key);
}
