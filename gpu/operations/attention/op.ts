import type { RowScalars, VisibleKeys } from '../../arguments';
import type { Rows } from '../../rows';
import {
  checkApart,
  checkCount,
  checkFinite,
  checkGroups,
  checkInput,
  checkList,
  checkOutput,
  fail,
  listAsRows,
  scalarsAsRows,
} from '../../validate';

/**
 * Softmax attention over the visible keys: query [H,n,d], key and value [G,m,d], out [H,n,d]; KV head of query head h
 * is ⌊h·G/H⌋. logSumExp[offset + h·headStride + i] = ln Σ exp(q·k·scale). A query that sees no key gets zeros and −∞.
 */
export interface AttentionArguments {
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
  readonly scale: number;
  readonly visible: VisibleKeys;
  readonly out: Rows;
  readonly logSumExp?: RowScalars;
}

/** Bounds of the visible keys of an attention operation with H query heads, G KV heads and m key rows. */
function checkVisible(visible: VisibleKeys, queryHeads: number, keyHeads: number, keyRows: number): void {
  const { list, range } = visible;
  checkCount('attention', 'visible.range.start', range.start);
  checkCount('attention', 'visible.range.end', range.end);
  if (range.start > range.end || range.end > keyRows) {
    fail('attention', `visible.range is [${range.start}, ${range.end}), not within the ${keyRows} key rows`);
  }
  if (range.window !== undefined) {
    checkCount('attention', 'visible.range.window', range.window);
    if (!range.causal) fail('attention', 'visible.range has a window, but is not causal');
  }
  if (!list) return;
  checkList('attention', 'visible.list', list);
  if (list.sets !== 1 && list.sets !== keyHeads && list.sets !== queryHeads) {
    fail('attention', `visible.list has ${list.sets} sets, but must have 1, ${keyHeads} or ${queryHeads}`);
  }
}

export function checkAttention(a: AttentionArguments): void {
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
