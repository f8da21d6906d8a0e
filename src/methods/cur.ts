/**
 * CurDKV (arXiv 2509.15038) as in kvpress (cur_press.py, its local approximation): evicts once, by the share that a key's and a
 * value's squared norm have in their window.
 */
import { headMajorRows, type Rows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, type Scorer, token } from './compose';
import { keepFraction, mostTokens } from './defaults';
import type { Method } from './method';
import { choiceOf, numberIn } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { afterSinks } from './scorers/future-queries';
import { asColumn, norms, PROTECTED, rowProducts, withLength } from './scorers/rows';
import { denseScores } from './units';

/** Rows divided by the norm of all rows of their window together: their squared norms are shares of it. Dense [G, n, d]. */
function inWindows(scratch: Scratch, input: Rows, window: number, label: string): Rows {
  const { ops } = scratch;
  const { heads: G, rows: n, channels: d } = input;
  const dense = scratch.rows(G, n, d, label);
  ops.copyRows({ input, out: dense });
  const out = scratch.rows(G, n, d, label);
  const whole = Math.floor(n / window);
  const normalise = (start: number, windows: number, length: number): void => {
    const view = (rows: Rows): Rows => ({
      ...{ buffer: rows.buffer, offset: start * d, heads: G, rows: windows, channels: length * d },
      ...{ headStride: n * d, rowStride: length * d },
    });
    const scaled = withLength(scratch, view(dense), 1, label);
    ops.copyRows({ input: scaled, out: view(out) });
  };
  if (whole > 0) normalise(0, whole, window);
  if (n > whole * window) normalise(whole * window, 1, n - whole * window);
  return out;
}

const byShares: Scorer = {
  name: (parameters, layer) =>
    `cur/${choiceOf(parameters, 'leverage')}/${numberIn(parameters, 'windowTokens', layer)}/${numberIn(parameters, 'sinkTokens', layer)}`,
  sets: 'kvHead',
  score({ ops, keyValueHeads: G }, parameters, { layer, key, value }, tokens) {
    const scratch = new Scratch(ops);
    const kind = choiceOf(parameters, 'leverage');
    const window = Math.min(numberIn(parameters, 'windowTokens', layer), tokens);
    const buffer = ops.scratch('f32', G * tokens, 'scores by shares');
    const score = denseScores(buffer, G, tokens);
    const column = (label: string) => denseScores(scratch.floats(G * tokens, label), G, tokens);
    const shares = (rows: Rows, label: string) =>
      inWindows(scratch, sliceRows(rows, 0, tokens), window, label);
    // The shares of a window are 1 together, so that of a row are as much as it has windows.
    const perWindow = 1 / Math.ceil(tokens / window);
    if (kind === 'product') {
      const factors = [shares(key, 'shares of keys'), shares(value, 'shares of values')].map((rows) => {
        const lengths = column('roots of shares');
        norms(scratch, rows, lengths);
        return asColumn(lengths);
      });
      const roots = column('roots of products');
      rowProducts(scratch, factors[0]!, factors[1]!, roots);
      // Of length 1 as one row, so that its squares are 1 together.
      const scaled = withLength(scratch, headMajorRows(roots.buffer, G, 1, tokens), 1, 'roots of scores');
      const each = asColumn(denseScores(scaled.buffer, G, tokens));
      rowProducts(scratch, each, each, score);
    } else {
      const used = [...(kind === 'value' ? [] : [key]), ...(kind === 'key' ? [] : [value])];
      for (const [i, rows] of used.entries()) {
        const own = shares(rows, 'shares');
        const out = column('shares of tokens');
        rowProducts(scratch, own, own, out, perWindow / used.length);
        ops.sumHeads({ input: asColumn(out), out: asColumn(score), accumulate: i > 0 });
      }
    }
    const sinks = Math.min(numberIn(parameters, 'sinkTokens', layer), tokens);
    const stay = new Float32Array(sinks).fill(PROTECTED);
    if (sinks > 0) for (let g = 0; g < G; g++) ops.write(buffer, g * tokens, stay);
    scratch.release();
    return inBuffers(ops, [buffer], { score });
  },
  candidates: afterSinks,
  operations: (_parameters, { keyValueHeads: G, headDimension: d }, tokens) => G * tokens * (10 * d + 6),
  memory: (_parameters, { keyValueHeads: G, headDimension: d, tokens }) => [
    { label: 'shares of keys and values', elements: G * tokens * (d + 1), count: 10 },
  ],
};

export const cur: Method = {
  id: 'cur',
  title: 'CurDKV',
  summary: 'Keeps the tokens whose key and value are long beside those of their neighbours.',
  citation: {
    authors: 'Sengupta, Chaudhary, Chakraborty',
    year: 2025,
    url: 'https://arxiv.org/abs/2509.15038',
  },
  presets: {
    kvpress: { parameters: { sinkTokens: 4, windowTokens: 16, leverage: 'product' }, evictAfter: 'context' },
  },
  parameters: {
    keepFraction,
    sinkTokens: {
      kind: 'count',
      label: 'Sink tokens',
      help: 'First tokens, which stay. kvpress calls it num_sinks, 4 by default.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      default: () => 4,
    },
    windowTokens: {
      kind: 'count',
      label: 'Window',
      symbol: 'w',
      help: 'Consecutive tokens among which norms are compared. kvpress calls it local_window_size, 16 by default.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      default: () => 16,
    },
    leverage: {
      kind: 'choice',
      label: 'Leverage',
      help: 'Whose squared norms count. kvpress calls it leverage_type.',
      options: [
        { value: 'product', label: 'product', help: 'Key’s share times value’s.' },
        { value: 'key', label: 'keys', help: 'The key’s share.' },
        { value: 'value', label: 'values', help: 'The value’s share.' },
        { value: 'mean', label: 'mean', help: 'The mean of both shares.' },
      ],
      default: () => 'product',
    },
  },
  notes: () => [
    'kvpress’s default: squared norms within windows stand for leverage scores; its random projection is left out.',
  ],
  ...compose({
    ...{ scorer: byShares, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
