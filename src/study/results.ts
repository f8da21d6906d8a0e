/** What a study yields: the measurements of src/measure, and what takes generating text. */
import type {
  CostMeasurement,
  Divergence,
  DivergencePart,
  LayerMeasurement,
  Measured,
  SweepCurve,
} from '../measure/results';
import type { MethodSpec } from '../methods/method-spec';

export interface AnswerMeasurement {
  readonly text: string;
  readonly right: boolean;
}

/** From where on a generated text differs from another one: a token's index in it, and what stands there in both (null: nothing more). */
export interface Difference {
  readonly token: number;
  readonly written: string | null;
  readonly expected: string | null;
}

/** What a free run's selections kept of a needle that the question asks for. */
export interface NeedleKept {
  /** Digits of the needle's value that a query of this run was to write. */
  readonly digits: number;
  /** How many of them the query that writes each saw, by layer and head. */
  readonly kept: readonly (readonly number[])[];
}

/** The attention step of the prompt, all layers, selection included: repeated, full attention and the method in turn. */
export interface TimeMeasurement {
  readonly pairs: number;
  /** Medians. */
  readonly full: Measured;
  readonly method: Measured;
  /** Full attention's time ÷ the method's, of the pairs: above 1 the method is faster. */
  readonly ratio: { readonly median: number; readonly low: number; readonly high: number };
  /** By formula, of the same tokens, all layers. */
  readonly operations: { readonly full: number; readonly method: number };
}

export interface FreeRunMeasurement extends Divergence {
  /** The queries before those that predict the answer, and those; null without an answer, or where there are none of them. */
  readonly question: DivergencePart | null;
  readonly answerPart: DivergencePart | null;
  readonly expectedAnswer: string | null;
  readonly fullAnswer: AnswerMeasurement | null;
  readonly answer: AnswerMeasurement | null;
  /** The tokens that were generated: a task's answer, or the continuation of another text. */
  readonly generatedTexts: { readonly full: readonly string[]; readonly method: readonly string[] } | null;
  /** Where the method's generated text leaves the expected answer; without one, where it leaves full attention's. */
  readonly differsAt: Difference | null;
  /** One entry for each needle that is asked for, in the order of the text; null without needles, and where the cache holds mixtures of tokens. */
  readonly needles: readonly NeedleKept[] | null;
  /** Null: not measured (yet, or because it would take too long). */
  readonly time: TimeMeasurement | null;
}

/** Which points of a method's curve are answered right, as far as that was run. */
export interface CurveAnswers {
  /** The curve's method. */
  readonly method: MethodSpec;
  readonly rights: readonly { readonly keep: number; readonly right: boolean }[];
  /** Free runs done, and asked for in all. */
  readonly done: number;
  readonly total: number;
}

export interface Measurements {
  readonly queries: { readonly start: number; readonly end: number };
  readonly layers: readonly LayerMeasurement[];
  readonly cost: CostMeasurement | null;
  readonly freeRun: FreeRunMeasurement | null;
  readonly sweep: readonly SweepCurve[] | null;
}
