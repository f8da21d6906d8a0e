/**
 * The search for a head's pattern (minference_forward.py: search_pattern): the candidate that keeps most of full attention's weight, mean
 * over the prompt's queries from `firstQuery` on. The code runs it once for a model, on one long text; here it is the open text.
 */
import { eachRowAsHead, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { MOST_SCORES_OF_PASS } from '../blocks';
import type { MethodContext, PromptRows } from '../method';
import { LayerPatterns } from './layer-patterns';
import type { Looks, Pattern } from './patterns';

/** Mean share of attention that each candidate keeps: [query head][candidate]. */
export async function retainedMass(
  context: MethodContext,
  layer: number,
  prompt: PromptRows,
  candidates: readonly Pattern[],
  looks: Looks,
  firstQuery: number,
  signal?: AbortSignal,
): Promise<number[][]> {
  const { ops, scores } = context;
  const { query, key, value } = prompt;
  const { heads, rows: tokens, channels } = query;
  const first = firstQuery < tokens ? firstQuery : 0;
  const sums = Array.from({ length: heads }, () => candidates.map(() => 0));
  const all = candidates.map(
    (candidate) => new LayerPatterns(context, layer, prompt, new Array(heads).fill(candidate), looks),
  );
  const atOnce = Math.max(1, Math.floor(MOST_SCORES_OF_PASS / tokens));
  try {
    for (let start = first; start < tokens; start += atOnce) {
      const rows = Math.min(atOnce, tokens - start);
      const scratch = new Scratch(ops);
      const part = scratch.rows(heads, rows, channels, 'queries one by one');
      ops.copyRows({ input: sliceRows(query, start, rows), out: part });
      const out = scratch.rows(heads, rows, channels, 'output of a candidate');
      const lambdas = scratch.floats((1 + all.length) * heads * rows, 'log-sum-exp of candidates');
      const lambda = (at: number) => ({ buffer: lambdas, offset: at * heads * rows, headStride: rows });
      const [keys, values] = [sliceRows(key, 0, start + rows), sliceRows(value, 0, start + rows)];
      const range = { start: 0, end: start + rows, causal: true };
      ops.attention({
        query: part,
        key: keys,
        value: values,
        ...scores,
        visible: { range },
        out,
        logSumExp: lambda(0),
      });
      for (const [at, patterns] of all.entries()) {
        const list = patterns.shown(prompt, start, rows, false);
        scratch.keep(list.buffer);
        ops.attention({
          ...{ query: eachRowAsHead(part), key: keys, value: values, ...scores },
          ...{ visible: { list, range: { start: 0, end: 0, causal: false } }, out: eachRowAsHead(out) },
          logSumExp: { ...lambda(1 + at), headStride: 1 },
        });
      }
      const read = ops.readFloats(lambdas);
      scratch.release();
      const numbers = await read;
      signal?.throwIfAborted();
      for (let head = 0; head < heads; head++)
        for (let row = 0; row < rows; row++)
          for (let at = 0; at < all.length; at++) {
            const place = head * rows + row;
            sums[head]![at]! += Math.exp(numbers[(1 + at) * heads * rows + place]! - numbers[place]!);
          }
    }
  } finally {
    for (const patterns of all) patterns.release();
  }
  return sums.map((ofHead) => ofHead.map((sum) => sum / (tokens - first)));
}

/** The first of those that keep most. */
export function bestOf(masses: readonly number[]): number {
  return masses.reduce((best, mass, at) => (mass > masses[best]! ? at : best), 0);
}
