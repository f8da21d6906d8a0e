import type { RowScalars, ScoreRule, VisibleKeys } from '../../arguments';
import type { Rows } from '../../rows';
import {
  checkApart,
  checkGroups,
  checkInput,
  checkOutput,
  checkScoreRule,
  listAsRows,
  scalarsAsRows,
} from '../../validate';
import { checkVisible } from '../../validate/visible-keys';

/**
 * Softmax attention over the visible keys: query [H,n,d], key and value [G,m,d], out [H,n,d]; KV head of query head h
 * is ⌊h·G/H⌋. logSumExp[offset + h·headStride + i] = ln Σ exp(score). A query that sees no key gets zeros and −∞.
 */
export interface AttentionArguments extends ScoreRule {
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
  readonly visible: VisibleKeys;
  readonly out: Rows;
  readonly logSumExp?: RowScalars;
}

export function checkAttention(a: AttentionArguments): void {
  const { query, key, value, out, logSumExp, visible } = a;
  checkInput('attention', 'query', query);
  checkInput('attention', 'key', key, { channels: query.channels });
  checkInput('attention', 'value', value, key);
  checkOutput('attention', 'out', out, query);
  checkGroups('attention', 'query', query.heads, 'key', key.heads);
  checkScoreRule('attention', a);
  checkVisible('attention', visible, query.heads, key);
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
