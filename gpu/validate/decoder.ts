/** Argument checks of the decoder's operations. */
import type { VisibleKeys } from '../ops';
import { checkApart, checkSameOrApart } from './overlap';
import type { Arguments } from './views';
import {
  checkBuffer,
  checkCount,
  checkFinite,
  checkGroups,
  checkInput,
  checkList,
  checkOutput,
  checkSpan,
  fail,
  listAsRows,
  scalarsAsRows,
} from './views';

export function checkGatherRows(a: Arguments<'gatherRows'>): void {
  checkInput('gatherRows', 'table', a.table, { heads: 1, channels: a.out.channels });
  checkOutput('gatherRows', 'out', a.out, { heads: 1 });
  checkSpan('gatherRows', 'indices', a.indices, 'u32', a.indexOffset, a.out.rows);
  if (a.table.rows === 0 && a.out.rows > 0) fail('gatherRows', 'table has no rows to read from');
  checkApart('gatherRows', 'out', a.out, 'table', a.table);
}

export function checkCopyRows(a: Arguments<'copyRows'>): void {
  checkInput('copyRows', 'input', a.input);
  checkOutput('copyRows', 'out', a.out, a.input);
  checkApart('copyRows', 'out', a.out, 'input', a.input);
}

export function checkNormalize(a: Arguments<'normalize'>): void {
  checkInput('normalize', 'input', a.input);
  checkOutput('normalize', 'out', a.out, a.input);
  checkFinite('normalize', 'epsilon', a.epsilon);
  checkBuffer('normalize', 'weight', a.weight, 'f32', a.input.channels);
  if (a.bias) checkBuffer('normalize', 'bias', a.bias, 'f32', a.input.channels);
  checkSameOrApart('normalize', 'out', a.out, 'input', a.input);
}

export function checkMatmul(a: Arguments<'matmul'>): void {
  checkInput('matmul', 'input', a.input, { heads: 1 });
  checkInput('matmul', 'weight', a.weight, { heads: 1, channels: a.input.channels });
  checkOutput('matmul', 'out', a.out, { heads: 1, rows: a.input.rows, channels: a.weight.rows });
  if (a.bias) checkBuffer('matmul', 'bias', a.bias, 'f32', a.weight.rows);
  checkApart('matmul', 'out', a.out, 'input', a.input);
  checkApart('matmul', 'out', a.out, 'weight', a.weight);
}

export function checkGate(a: Arguments<'gate'>): void {
  checkInput('gate', 'gate', a.gate, { heads: 1 });
  checkInput('gate', 'up', a.up, { heads: 1, rows: a.gate.rows, channels: a.gate.channels });
  checkOutput('gate', 'out', a.out, { heads: 1, rows: a.gate.rows, channels: a.gate.channels });
  checkSameOrApart('gate', 'out', a.out, 'gate', a.gate);
  checkSameOrApart('gate', 'out', a.out, 'up', a.up);
}

export function checkActivate(a: Arguments<'activate'>): void {
  checkInput('activate', 'input', a.input);
  checkOutput('activate', 'out', a.out, a.input);
  checkSameOrApart('activate', 'out', a.out, 'input', a.input);
}

export function checkRotate(a: Arguments<'rotate'>): void {
  const { input, out, table, positions } = a;
  checkInput('rotate', 'input', input);
  checkOutput('rotate', 'out', out, input);
  checkCount('rotate', 'table.positions', table.positions);
  checkCount('rotate', 'table.frequencies', table.frequencies);
  checkBuffer('rotate', 'table.cosine', table.cosine, 'f32', table.positions * table.frequencies);
  checkBuffer('rotate', 'table.sine', table.sine, 'f32', table.positions * table.frequencies);
  if (2 * table.frequencies > input.channels) {
    fail('rotate', `table has ${table.frequencies} frequencies, too many for ${input.channels} channels`);
  }
  if ('indices' in positions) {
    checkSpan('rotate', 'positions.indices', positions.indices, 'u32', positions.offset, input.rows);
  } else {
    checkCount('rotate', 'positions.start', positions.start);
    if (positions.step !== 0 && positions.step !== 1) {
      fail('rotate', `positions.step is ${positions.step}, but must be 0 or 1`);
    }
    const last = positions.start + Math.max(0, input.rows - 1) * positions.step;
    if (input.rows > 0 && last >= table.positions) {
      fail('rotate', `positions reach ${last}, but the table has ${table.positions}`);
    }
  }
  checkSameOrApart('rotate', 'out', out, 'input', input);
}

/** Bounds of the visible keys of an attention operation with H query heads, G KV heads and m key rows. */
function checkVisible(visible: VisibleKeys, queryHeads: number, keyHeads: number, keyRows: number): void {
  const { list, range } = visible;
  checkCount('attention', 'visible.range.start', range.start);
  checkCount('attention', 'visible.range.end', range.end);
  if (range.start > range.end || range.end > keyRows) {
    fail('attention', `visible.range is [${range.start}, ${range.end}), not within the ${keyRows} key rows`);
  }
  if (!list) return;
  checkList('attention', 'visible.list', list);
  if (list.sets !== 1 && list.sets !== keyHeads && list.sets !== queryHeads) {
    fail('attention', `visible.list has ${list.sets} sets, but must have 1, ${keyHeads} or ${queryHeads}`);
  }
}

export function checkAttention(a: Arguments<'attention'>): void {
  const { query, key, value, out, logSumExp, visible } = a;
  checkInput('attention', 'query', query);
  checkInput('attention', 'key', key, { channels: query.channels });
  checkInput('attention', 'value', value, key);
  checkOutput('attention', 'out', out, query);
  checkGroups('attention', 'query', query.heads, 'key', key.heads);
  checkFinite('attention', 'scale', a.scale);
  checkVisible(visible, query.heads, key.heads, key.rows);
  checkApart('attention', 'out', out, 'query', query);
  checkApart('attention', 'out', out, 'key', key);
  checkApart('attention', 'out', out, 'value', value);
  if (logSumExp) {
    const view = scalarsAsRows(logSumExp, query.heads, query.rows);
    checkOutput('attention', 'logSumExp', view);
    checkApart('attention', 'logSumExp', view, 'query', query);
    checkApart('attention', 'logSumExp', view, 'key', key);
    checkApart('attention', 'logSumExp', view, 'value', value);
    checkApart('attention', 'logSumExp', view, 'out', out);
  }
  if (visible.list) checkApart('attention', 'out', out, 'visible.list', listAsRows(visible.list));
}

export function checkMergeAttention(a: Arguments<'mergeAttention'>): void {
  const { into, from } = a;
  const { heads, rows } = into.out;
  checkOutput('mergeAttention', 'into.out', into.out);
  checkInput('mergeAttention', 'from.out', from.out, into.out);
  const intoScalars = scalarsAsRows(into.logSumExp, heads, rows);
  const fromScalars = scalarsAsRows(from.logSumExp, heads, rows);
  checkOutput('mergeAttention', 'into.logSumExp', intoScalars);
  checkInput('mergeAttention', 'from.logSumExp', fromScalars);
  checkApart('mergeAttention', 'into.out', into.out, 'from.out', from.out);
  checkApart('mergeAttention', 'into.logSumExp', intoScalars, 'from.logSumExp', fromScalars);
}

export function checkArgmax(a: Arguments<'argmax'>): void {
  checkInput('argmax', 'input', a.input, { heads: 1 });
  checkSpan('argmax', 'out', a.out, 'u32', a.outOffset, a.input.rows);
  if (a.input.rows > 0 && a.input.channels === 0) fail('argmax', 'input has no channels to choose from');
}
