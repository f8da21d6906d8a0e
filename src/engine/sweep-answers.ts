/**
 * Whether a method answers the open text right at every point of its sweep: a free run for each, cached by text, method and
 * parameters for as long as the engine lives. Nothing of it is shown before it was run.
 */
import { SWEEP_FRACTIONS } from '../measure/sweep';
import type { StudyPlaces } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';
import { methodKey } from '../methods/method-spec';
import type { ParameterContext } from '../methods/parameters';
import type { CurveAnswers } from '../study/results';
import type { ResolvedMethod } from './resolve';

export interface AnswersRequest {
  /** Names the text. */
  readonly text: string;
  /** Whose curves are run. */
  readonly methods: readonly ResolvedMethod[];
  /** Of whose curves only what is known already is reported. */
  readonly others: readonly ResolvedMethod[];
  readonly context: ParameterContext;
  readonly places: StudyPlaces;
  /** Runs the method through the text and says whether its answer is right; null: it could not be run. */
  readonly isRight: (method: ResolvedMethod) => Promise<boolean | null>;
  /** Hears of a curve whenever another of its answers is known. */
  readonly onCurve: (answers: CurveAnswers) => void;
  readonly signal: AbortSignal;
}

interface Curve {
  readonly spec: MethodSpec;
  readonly points: readonly { readonly keep: number; readonly at: ResolvedMethod; readonly key: string }[];
}

export class SweepAnswers {
  readonly #known = new Map<string, boolean>();

  /** What another run has found out. */
  note(text: string, method: ResolvedMethod, right: boolean): void {
    this.#known.set(keyOf(text, method), right);
  }

  /** Runs what is not known yet. Rejects with the signal's reason. */
  async run({ methods, others, isRight, onCurve, signal, ...of }: AnswersRequest): Promise<void> {
    const curves = methods.map((method) => curveOf(method, of));
    const keys = new Set(curves.flatMap(({ points }) => points.map(({ key }) => key)));
    const tell = ({ spec, points }: Curve): void => {
      const rights = points.flatMap(({ keep, key }) => {
        const right = this.#known.get(key);
        return right === undefined ? [] : [{ keep, right }];
      });
      const done = [...keys].filter((key) => this.#known.has(key)).length;
      onCurve({ method: spec, rights, done, total: keys.size });
    };
    for (const other of others) tell(curveOf(other, of));
    for (const curve of curves) {
      tell(curve);
      for (const { at, key } of curve.points) {
        signal.throwIfAborted();
        if (this.#known.has(key)) continue;
        const right = await isRight(at);
        if (right === null) continue;
        this.#known.set(key, right);
        tell(curve);
      }
    }
  }
}

/** The points of a method's curve that a free run can answer. */
function curveOf(
  { method, parameters, spec }: ResolvedMethod,
  { text, context, places }: Pick<AnswersRequest, 'text' | 'context' | 'places'>,
): Curve {
  const points = SWEEP_FRACTIONS.flatMap((keep) => {
    const fit = method.withBudget(parameters, context, keep, places);
    if (!('parameters' in fit)) return [];
    const at = { method, parameters: fit.parameters, spec: { id: method.id, parameters: fit.parameters } };
    return [{ keep, at, key: keyOf(text, at) }];
  });
  return { spec, points };
}

function keyOf(text: string, { method, parameters }: ResolvedMethod): string {
  return JSON.stringify([text, methodKey({ id: method.id, parameters })]);
}
