/** A method's curve of a sweep: what it keeps at every fraction, and what came of it. */

import { ignoreRejection } from '../base/ignore-rejection';
import { UserError } from '../base/user-error';
import type { Method, Selection } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';
import type { Parameters } from '../methods/parameters';
import { hasWindow, type LayerTrace, layersOfMethods, type Trace } from '../trace/trace';
import { choose, isSameChoice } from './choices';
import { type CostRequest, measureCost } from './cost';
import { noRecallReason } from './made-cache';
import { orderOf } from './nested-lists';
import type { SweepCurve, SweepPoint } from './results';
import { type KeptKeys, readKept, readScoreRows } from './selection-reader';
import { sweptAnswer, sweptWeight } from './swept-queries';
import { takenOf } from './taken';
import {
  contextOf,
  countedQueries,
  overlap,
  startTraceRun,
  type TokenRange,
  type TraceRun,
  type TraceRunOptions,
} from './trace-run';

/** Why a text has no curve where methods choose in no layer. */
const ALL_WINDOWS =
  'Every layer of this model sees a window by itself (sliding-window attention), so methods leave all of them as they are.';

export interface SweptMethod {
  readonly method: Method;
  readonly parameters: Parameters;
  readonly current: boolean;
}

/** What a selection keeps at each point that its run stands for, being read back. */
interface Read {
  readonly start: number;
  end: number;
  readonly selection: Selection;
  readonly kept: Promise<readonly (PointKeys | null)[]>;
}

/** What a point keeps, as KeptKeys has it, but listed in any order. */
export type PointKeys = Pick<KeptKeys, 'sets' | 'rangeStart'>;

/** Consecutive queries that share what they keep. */
export interface Group extends TokenRange {
  readonly kept: PointKeys;
}

/** One method at all fractions. */
export class Curve {
  /** Per layer, per point. */
  readonly massRecall: (number | null)[][] = [];
  readonly keptShare: (number | null)[][] = [];
  /** Parameters of each point; null where there is none. */
  readonly #points: (Parameters | null)[] = [];
  /**
   * One run per point; null where there is none. Of methods that re-select, only the smallest budget's: larger ones keep more of
   * the same order.
   */
  readonly #runs: (TraceRun | null)[] = [];
  /** Why there is no point. */
  readonly #missing: Pick<SweepPoint, 'floor' | 'reason'>[] = [];
  readonly #method: Method;
  readonly #spec: MethodSpec;
  readonly #isCurrent: boolean;
  readonly #fractions: readonly number[];
  /** Why recall by tokens means nothing; what is kept then follows from a formula alone, and nothing is run. */
  #noRecall: string | null;
  /** By layer: whether it sees a window by itself, and so has no recall. */
  #windows: readonly boolean[] = [];
  #place: Omit<CostRequest, 'method' | 'parameters'> | null = null;

  constructor({ method, parameters, current }: SweptMethod, fractions: readonly number[]) {
    this.#method = method;
    this.#spec = { id: method.id, parameters };
    this.#isCurrent = current;
    this.#fractions = fractions;
    this.#noRecall = noRecallReason(method, parameters);
  }

  async start(text: Trace, queries: TokenRange, options: TraceRunOptions): Promise<void> {
    const queriesStart = queries.start;
    const chosen = layersOfMethods(text.layerTraces);
    const layers = chosen.map(({ layer }) => layer);
    this.#windows = text.layerTraces.map(hasWindow);
    if (chosen.length === 0) this.#noRecall = ALL_WINDOWS;
    const { answerStart } = text;
    this.#place = { context: contextOf(text), queries, answerStart, weightOperations: 0, layers };
    const method = this.#method;
    const { parameters } = this.#spec;
    const places = { evictAt: queriesStart, answerStart: text.answerStart };
    for (const [point, fraction] of this.#fractions.entries()) {
      const fitted = method.withBudget(parameters, contextOf(text), fraction, places);
      const isPossible = 'parameters' in fitted;
      if (!isPossible) this.#missing[point] = fitted;
      this.#points.push(isPossible ? fitted.parameters : null);
      const isCovered = method.traits(parameters).isNested && this.#runs.some((run) => run !== null);
      this.#runs.push(
        isPossible && !isCovered && this.#noRecall === null
          ? await startTraceRun(text, method, fitted.parameters, queriesStart, options)
          : null,
      );
    }
  }

  /** Whether larger budgets' lists come from the scores of smaller ones. */
  get #isNested(): boolean {
    return this.#method.traits(this.#spec.parameters).isNested;
  }

  /** Most lists of tokens that one layer has at all points. */
  listsWithin(queries: TokenRange): number {
    const lists = this.#runs.map(
      (started) => started?.blocks.filter((block) => overlap(block, queries)).length ?? 0,
    );
    // Larger budgets' lists come from the same scores.
    const points = this.#isNested ? this.#fractions.length : 1;
    return points * lists.reduce((sum, count) => sum + count, 0);
  }

  /** Asks what every point keeps in one layer, per point in consecutive groups of queries (none where there is no point). */
  async ask(
    text: Trace,
    layerTrace: LayerTrace,
    queries: TokenRange,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly groups: Promise<Group[][]> }> {
    const swept = sweptAnswer(queries, text.answerStart);
    const points: Promise<Group[]>[] = [];
    for (const started of this.#runs) {
      const reads: Read[] = [];
      const isNested = started !== null && this.#isNested;
      const measuredOf = (block: TokenRange): TokenRange | null => {
        const overlapping = overlap(block, queries);
        return overlapping && sweptWeight(swept, overlapping.start) > 0 ? overlapping : null;
      };
      // One pass decides for all of an answer's tokens, swept or not: a probe run then finds the same scores.
      const isAsked = (block: TokenRange): boolean =>
        (started?.run.each ? overlap(block, queries) : measuredOf(block)) !== null ||
        (started?.traits.decides === 'whileReading' && block.start < queries.end);
      const blocks = started?.blocks.filter(isAsked) ?? [];
      for (const made of started ? choose(started, layerTrace, blocks, signal) : []) {
        const { taken, kept: keptOf } = takenOf(text.ops, made, measuredOf);
        for (const [place, { selection, block, measured }] of taken.entries()) {
          const last = reads.at(-1);
          if (last && isSameChoice(last.selection, selection)) {
            last.end = measured.end;
            continue;
          }
          const kept = isNested
            ? this.#nested(text, layerTrace.layer, block, selection, queries.start)
            : keptOf(place).then((one) => [one]);
          reads.push({ ...measured, selection, kept: ignoreRejection(kept) });
        }
        for (const { owned } of made.selections) text.ops.release(...owned);
        await text.ops.pace();
      }
      const toGroups = async (point: number): Promise<Group[]> => {
        const kept = await Promise.all(reads.map((read) => read.kept));
        return reads.flatMap(({ start, end }, i) => {
          const ofPoint = kept[i]![point];
          return ofPoint ? [{ start, end, kept: ofPoint }] : [];
        });
      };
      if (isNested)
        return { groups: ignoreRejection(Promise.all(this.#points.map((_, point) => toGroups(point)))) };
      points.push(ignoreRejection(toGroups(0)));
    }
    return { groups: ignoreRejection(Promise.all(points)) };
  }

  /** What every point keeps of one block, from the smallest budget's selection; null where there is no point. */
  async #nested(
    text: Trace,
    layer: number,
    block: TokenRange,
    selection: Selection,
    queriesStart: number,
  ): Promise<(PointKeys | null)[]> {
    const { ops, answerStart } = text;
    const { score, candidates, rangeStart } = selection;
    if (!score) {
      const all = await readKept(ops, selection);
      return this.#points.map((parameters) => parameters && all);
    }
    const { rows, secondary, scoreStart } = score;
    const [first, second] = await Promise.all([
      readScoreRows(ops, rows),
      secondary ? readScoreRows(ops, secondary) : null,
    ]);
    if (scoreStart !== candidates.start || scoreStart + rows.length !== candidates.end)
      throw new Error(`${this.#method.id} scores other tokens than its candidates`);
    const orders = first.map((row, set) => orderOf(row, second?.[set] ?? null, candidates.start));
    const position = block.end - 1;
    const place = { position, block, evictAt: queriesStart, promptEnd: answerStart ?? text.tokens };
    return this.#points.map((parameters) => {
      if (!parameters) return null;
      const { keptKeys } = this.#method.cost(parameters, contextOf(text), layer, place);
      const count = keptKeys - (position + 1 - rangeStart);
      return { sets: orders.map((order) => order.subarray(0, count)), rangeStart };
    });
  }

  /**
   * The share of its causal keys that each point sees from `token`, one of an answer's that the sweep does not take: nothing was
   * selected for it, but how much would be is a formula. 0 where there is no point.
   */
  sharesAt(text: Trace, layer: number, token: number, queriesStart: number): number[] {
    const { tokens, answerStart } = text;
    const block = { start: token, end: token + 1 };
    const place = { position: token, block, evictAt: queriesStart, promptEnd: answerStart ?? tokens };
    return this.#points.map((parameters) =>
      parameters ? this.#method.cost(parameters, contextOf(text), layer, place).keptKeys / (token + 1) : 0,
    );
  }

  /** A mean over `queries` as one over those that count: the others see everything, which is 1. */
  ofCounted(text: Trace, queries: TokenRange, mean: number): number {
    const traits = this.#method.traits(this.#spec.parameters);
    const counted = countedQueries(traits, queries, text.answerStart);
    const all = queries.end - queries.start;
    const others = all - (counted.end - counted.start);
    return others === 0 ? mean : Math.max(0, (mean * all - others) / (all - others));
  }

  /** Throws UserError for sums of one layer, one for each point, that are no numbers. */
  check(layer: number, sums: readonly number[]): void {
    if (sums.every(Number.isFinite)) return;
    throw new UserError(
      `${this.#method.id}: the sweep's mass recall of layer ${layer} is no number: scores there are too large for 32 bits.`,
    );
  }

  /** Throws UserError where scores that were made for a point are not finite. */
  async checkScores(): Promise<void> {
    await Promise.all(this.#runs.map((started) => started?.checkScores()));
  }

  renew(): void {
    for (const started of this.#runs) started?.memo.renew();
  }

  result(): SweepCurve {
    const points = this.#fractions.map((keep, point): SweepPoint => {
      const parameters = this.#points[point];
      if (!parameters) return { keep, kept: null, massRecall: null, layers: null, ...this.#missing[point] };
      if (this.#noRecall !== null) {
        const { density: kept } = measureCost({ ...this.#place!, method: this.#method, parameters });
        return { keep, kept, massRecall: null, layers: null, reason: this.#noRecall };
      }
      const recalls = this.massRecall.map((points) => points[point] ?? 0);
      const kept = this.keptShare.map((points) => points[point] ?? 0);
      let next = 0;
      const layers = this.#windows.map((isWindow) => (isWindow ? null : recalls[next++]!));
      return { keep, kept: mean(kept), massRecall: mean(recalls), layers };
    });
    return { method: this.#spec, current: this.#isCurrent, points };
  }

  dispose(): void {
    for (const started of this.#runs) started?.dispose();
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
