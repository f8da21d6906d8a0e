import type { ProbabilityInputs } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import { checkCount, checkSpan, fail } from '../../validate';
import { checkProbabilityInputs } from '../../validate/probability-inputs';

/**
 * Attention mass by class of key, from one recomputation of the probabilities for any number of groupings.
 * `classOf` holds `groupings × sets × key.rows` class numbers < classes; query head h uses set ⌊h·sets/H⌋. With `byRow` every
 * query row has classes of its own: `groupings × sets × n × key.rows`.
 * out [groupings, H, n, classes] is overwritten: Σ over keys t that query i sees and that have class c of
 * exp(q·k·scale − lse).
 */
export interface MassByClassArguments extends ProbabilityInputs {
  readonly classOf: DeviceBuffer;
  readonly groupings: number;
  readonly sets: number;
  readonly classes: number;
  readonly byRow?: boolean;
  readonly out: DeviceBuffer;
}

/** Argument checks of the operations that measure attention. */
export function checkMassByClass(a: MassByClassArguments): void {
  checkProbabilityInputs('massByClass', a);
  checkCount('massByClass', 'groupings', a.groupings);
  checkCount('massByClass', 'sets', a.sets);
  checkCount('massByClass', 'classes', a.classes);
  if (a.groupings > 0 && a.query.heads > 0 && (a.sets === 0 || a.query.heads % a.sets !== 0)) {
    fail('massByClass', `sets is ${a.sets}, which does not divide the ${a.query.heads} query heads`);
  }
  checkSpan(
    'massByClass',
    'classOf',
    a.classOf,
    'u32',
    0,
    a.groupings * a.sets * (a.byRow ? a.query.rows : 1) * a.key.rows,
  );
  checkSpan('massByClass', 'out', a.out, 'f32', 0, a.groupings * a.query.heads * a.query.rows * a.classes);
}
