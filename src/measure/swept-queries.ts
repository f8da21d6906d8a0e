/** Which tokens of an answer a sweep measures: each is a block of its own, and a sweep asks for many selections of every block. */
import type { TokenRange } from './trace-run';

/** Most tokens of an answer that a sweep takes. */
const MOST_SWEPT_ANSWER_TOKENS = 16;

/** The tokens of an answer among the queries that a sweep takes for all of them; null: it takes every one. */
export interface SweptAnswer extends TokenRange {
  /** Ascending, evenly spaced, the first and the last token among them. */
  readonly taken: ReadonlySet<number>;
}

export function sweptAnswer(queries: TokenRange, answerStart: number | null): SweptAnswer | null {
  const start = Math.max(queries.start, answerStart ?? queries.end);
  const { end } = queries;
  const last = end - start - 1;
  if (last < MOST_SWEPT_ANSWER_TOKENS) return null;
  const steps = MOST_SWEPT_ANSWER_TOKENS - 1;
  const places = Array.from({ length: steps + 1 }, (_, i) => start + Math.round((i * last) / steps));
  return { start, end, taken: new Set(places) };
}

/** Of how many queries the token's numbers are taken to be the mean: 0 where it is not measured. */
export function sweptWeight(swept: SweptAnswer | null, token: number): number {
  if (!swept || token < swept.start) return 1;
  return swept.taken.has(token) ? (swept.end - swept.start) / swept.taken.size : 0;
}

/** What a sweep says of the tokens it leaves out; null: none. */
export function sweptNotice(queries: TokenRange, answerStart: number | null): string | null {
  const swept = sweptAnswer(queries, answerStart);
  return (
    swept &&
    `The sweep takes ${swept.taken.size} of the answer's ${swept.end - swept.start} tokens, evenly spaced, for all of them.`
  );
}
