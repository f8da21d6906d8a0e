/** Keeps the keys that the last queries before an eviction attend to most, each KV head its own. */
import { type Rows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtEviction } from '../../src/methods/budgets/uniform';
import { compose, type Scorer, token } from '../../src/methods/compose';
import { keepFraction } from '../../src/methods/defaults';
import type { Method } from '../../src/methods/method';
import { inText } from '../../src/methods/positions';
import { inBuffers } from '../../src/methods/remember';
import { once } from '../../src/methods/schedules/once';
import { denseScores } from '../../src/methods/units';

/** Queries that look: so many, or as many as there are. */
const LOOKING = 8;

const looks: Scorer = {
  name: () => `looks/${LOOKING}`,
  // A row of scores, and so a list of kept keys, for each KV head.
  sets: 'kvHead',
  // What `input` then has: without this `queriesBefore` gives null.
  wants: () => ({ queriesBefore: LOOKING }),
  score({ ops, scores }, _parameters, input, tokens) {
    const query = input.queriesBefore(tokens)!;
    // The input may hold more keys than are scored: those of the block that asks.
    const [key, value] = [input.key, input.value].map((rows) => sliceRows(rows, 0, tokens)) as [Rows, Rows];
    const visible = { range: { start: 0, end: tokens, causal: true } };
    const scratch = new Scratch(ops);
    const logSumExp = scratch.scalars(query.heads, query.rows, 'log-sum-exp of the looking queries');
    const out = scratch.rows(query.heads, query.rows, value.channels, 'output of the looking queries');
    ops.attention({ query, key, value, ...scores, visible, out, logSumExp });
    // Scores outlive the call, in the memo; what made them does not.
    const buffer = ops.scratch('f32', key.heads * tokens, 'attention received');
    const score = denseScores(buffer, key.heads, tokens);
    ops.accumulatedAttention({ query, key, ...scores, logSumExp, visible, out: score });
    scratch.release();
    return inBuffers(ops, [buffer], { score });
  },
  // Attention (per key and channel a multiplication and an addition, twice), then its probabilities again, added up.
  operations: (_parameters, { queryHeads, headDimension }, tokens) =>
    LOOKING * queryHeads * tokens * (6 * headDimension + 6),
  memory: (_parameters, { queryHeads, headDimension, layers }) => [
    // A free run keeps them of every layer while it reads, with room for the next.
    { label: 'earlier queries', elements: LOOKING * queryHeads * headDimension, count: 3 * layers },
    {
      label: 'output of the looking queries',
      elements: LOOKING * queryHeads * (headDimension + 1),
      count: 1,
    },
  ],
};

export const lookedAt: Method = {
  id: 'looked-at',
  title: 'Looked at',
  summary: 'Keeps the keys that the last queries before the eviction attend to most.',
  citation: null,
  parameters: { keepFraction },
  ...compose({ scorer: looks, budget: uniformAtEviction, unit: token, schedule: once, positions: inText }),
};
