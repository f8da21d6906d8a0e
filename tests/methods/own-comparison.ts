/**
 * What tests/methods/fixtures-suite.ts cannot know of a run: a file in tests/methods/own-comparisons/ exports it as `own`, and is found
 * by being there.
 */
import type { Ops } from '../../gpu/ops';
import type { Method } from '../../src/methods/method';
import type { Parameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';

export interface OwnComparison {
  /** Runs whose names begin so. */
  readonly runs: string;
  /**
   * Kinds of tensors that `compare` compares, in the suite's place: a tensor's name without run, layer and block
   * (`kept`, `score`, `kept_after`, `mass`, `output`, `mixing` …).
   */
  readonly tensors?: readonly string[];
  /** Compares them, and says what differs too much. */
  readonly compare?: (fixture: RunFixture) => Promise<void>;
  /** The test in tests/methods/ that compares these runs altogether, as `./name.test.ts`: the suite leaves them to it. */
  readonly comparedIn?: string;
  /**
   * Where the run for the last queries evicts, or stops reading densely; the fixture's `prefillTokens` or T − 24 by default. T, for a
   * method that evicts: it does not matter where, and one run serves for everything.
   */
  readonly evictAt?: number;
  /** The method as the reference runs it, where a study runs it otherwise. */
  readonly asReference?: (method: Method) => Method;
  /** Exact ties are broken in the reference, too, by `Selection.score.secondary` if there is one, and then by the lower token. */
  readonly breaksTies?: boolean;
  /** In place of the backend's, where the reference itself is no closer. */
  readonly tolerance?: number;
  /** Of the candidates, how many must lie outside the band; 95 % by default, with the reason beside it. */
  readonly leastOutside?: number;
}

/** One run on one backend. */
export interface RunFixture {
  readonly name: string;
  readonly ops: Ops;
  /** The capture, all tokens. */
  readonly text: Trace;
  readonly method: Method;
  readonly parameters: Parameters;
  readonly tolerance: number;
  /** Puts the largest difference of what stands under this name into the table of docs/methods.md. */
  report(what: string, difference: number): void;
  /** What does not agree, one sentence each: the run fails. */
  fail(...faults: string[]): void;
}

const files = import.meta.glob<{ own: OwnComparison }>('./own-comparisons/*.ts', { eager: true });
const all = Object.values(files).map(({ own }) => own);

/** The one that registers this run; the longest name wins. */
export function ownComparisonOf(run: string): OwnComparison | null {
  const found = all.filter(({ runs }) => run.startsWith(runs));
  return found.sort((a, b) => b.runs.length - a.runs.length)[0] ?? null;
}
