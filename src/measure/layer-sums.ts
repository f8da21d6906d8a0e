/** Sums over the queries of one layer, and the means that are reported (docs/measurements.md). */

import { UserError } from '../base/user-error';
import type { HeadMeasurement, LayerMeasurement } from './results';
import type { KeptKeys } from './selection-reader';
import type { SelectorRecall } from './selector-recall';

/** A mean that is null until something was added. */
class Mean {
  #sum = 0;
  /** What was added, by weight. */
  weight = 0;

  add(value: number, weight = 1): void {
    this.#sum += value * weight;
    this.weight += weight;
  }

  get value(): number | null {
    return this.weight > 0 ? this.#sum / this.weight : null;
  }
}

class HeadSums {
  readonly massRecall = new Mean();
  readonly ownMassRecall = new Mean();
  readonly topkRecall = new Mean();
  readonly topkChance = new Mean();
  squaredNorm = 0;
  squaredError = 0;
  squaredErrorAsRun = 0;
}

export class LayerSums {
  readonly heads: readonly HeadSums[];
  readonly #keptKeys = new Mean();
  readonly #visibleKeys = new Mean();
  readonly #keptShare = new Mean();
  readonly #selector = new Mean();
  readonly #selectorPerQuery = new Mean();
  #tiedAtCut: number | null = null;
  /** Of all heads after the output projection; null until some were added. */
  #projected: { squaredNorm: number; squaredError: number } | null = null;

  readonly #noRecall: string | null;

  /** `noRecall`: why recall by tokens means nothing; null: it does. */
  constructor(queryHeads: number, noRecall: string | null = null) {
    this.#noRecall = noRecall;
    this.heads = Array.from({ length: queryHeads }, () => new HeadSums());
  }

  /** Counts of what queries [start, end) of one block see. */
  addKept(kept: KeptKeys, start: number, end: number): void {
    const listed = kept.sets.reduce((sum, set) => sum + set.length, 0) / kept.sets.length;
    for (let position = start; position < end; position++) {
      const seen = listed + (kept.made ?? 0) + position + 1 - kept.rangeStart;
      this.#keptKeys.add(seen);
      this.#visibleKeys.add(position + 1);
      this.#keptShare.add(seen / (position + 1));
    }
    if (kept.tiedAtCut) this.#tiedAtCut = Math.max(this.#tiedAtCut ?? 0, ...kept.tiedAtCut);
  }

  addSelector(recall: SelectorRecall | null, queries: number): void {
    if (!recall) return;
    this.#selector.add(recall.block, queries);
    if (recall.perQuery !== null) this.#selectorPerQuery.add(recall.perQuery, queries);
  }

  /** Outputs of all heads after W_O, [n, D]: full attention's, and those on the kept keys. */
  addProjected(full: Float32Array, kept: Float32Array): void {
    this.#projected ??= { squaredNorm: 0, squaredError: 0 };
    this.#projected.squaredNorm = addSquares(this.#projected.squaredNorm, full, null, 0, full.length);
    this.#projected.squaredError = addSquares(this.#projected.squaredError, kept, full, 0, full.length);
  }

  result(layer: number): LayerMeasurement {
    const projected = this.#projected;
    const emptyRecall = this.#noRecall === null ? 1 : null;
    if (projected)
      checkFinite(layer, null, 'outputs after W_O', projected.squaredNorm, projected.squaredError);
    const heads = this.heads.map((sums, head): HeadMeasurement => {
      const { squaredNorm, squaredError, squaredErrorAsRun } = sums;
      checkFinite(layer, head, 'attention outputs', squaredNorm, squaredError, squaredErrorAsRun);
      checkFinite(layer, head, 'attention masses', sums.massRecall.value, sums.ownMassRecall.value);
      return {
        head,
        massRecall: sums.massRecall.value ?? emptyRecall,
        ownMassRecall: sums.ownMassRecall.value,
        topkRecall: sums.topkRecall.value,
        topkChance: sums.topkChance.value,
        outputError: relative(squaredError, squaredNorm),
        outputErrorAsRun: relative(squaredErrorAsRun, squaredNorm),
      };
    });
    const mean = (of: (head: HeadMeasurement) => number | null): number | null => {
      const values = heads.map(of).filter((value) => value !== null);
      return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
    };
    return {
      layer,
      keptKeys: this.#keptKeys.value ?? 0,
      visibleKeys: this.#visibleKeys.value ?? 0,
      keptShare: this.#keptShare.value ?? 0,
      massRecall: mean((head) => head.massRecall) ?? emptyRecall,
      ownMassRecall: mean((head) => head.ownMassRecall),
      topkRecall: mean((head) => head.topkRecall),
      topkChance: mean((head) => head.topkChance),
      topkRows: this.heads.reduce((sum, { topkRecall }) => sum + topkRecall.weight, 0),
      selectorRecall: this.#selector.value,
      selectorRecallPerQuery: this.#selectorPerQuery.value,
      outputError: mean((head) => head.outputError) ?? 0,
      outputErrorAsRun: mean((head) => head.outputErrorAsRun) ?? 0,
      outputErrorProjected: projected && relative(projected.squaredError, projected.squaredNorm),
      tiedAtCut: this.#tiedAtCut,
      ...(this.#noRecall !== null && { reason: this.#noRecall }),
      heads,
    };
  }
}

/** sum + Σ (values − less)² over [start, end). */
export function addSquares(
  sum: number,
  values: Float32Array,
  less: Float32Array | null,
  start: number,
  end: number,
): number {
  let total = sum;
  if (less) for (let i = start; i < end; i++) total += (values[i]! - less[i]!) ** 2;
  else for (let i = start; i < end; i++) total += values[i]! ** 2;
  return total;
}

/** √(squares / norm): 0 where nothing differs, even from nothing. */
function relative(squares: number, squaredNorm: number): number {
  return squares === 0 ? 0 : Math.sqrt(squares / squaredNorm);
}

/** Throws UserError that names layer and, where it is of one, head: no number that is none leaves as a measurement, and null means something else. */
function checkFinite(layer: number, head: number | null, what: string, ...values: (number | null)[]): void {
  if (values.every((value) => value === null || Number.isFinite(value))) return;
  throw new UserError(
    `The ${what} of layer ${layer}${head === null ? '' : `, head ${head}`} are not finite: scores or values there are too large for 32-bit numbers.`,
  );
}
