import type { ProbabilityInputs } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import { checkCount, checkSpan, fail } from '../../validate';
import { checkProbabilityInputs } from '../../validate/probability-inputs';

/**
 * Attention mass by group of key, from one recomputation of the probabilities for any number of groupings.
 * `groupOf` holds `groupings × sets × key.rows` group numbers < groups; query head h uses set ⌊h·sets/H⌋. With `byRow` every
 * query row has groups of its own: `groupings × sets × n × key.rows`.
 * out [groupings, H, n, groups] is overwritten: Σ over keys t that query i sees and that have group c of
 * exp(score − lse).
 */
export interface MassByGroupArguments extends ProbabilityInputs {
  readonly groupOf: DeviceBuffer;
  readonly groupings: number;
  readonly sets: number;
  readonly groups: number;
  readonly byRow?: boolean;
  readonly out: DeviceBuffer;
}

/** Argument checks of the operations that measure attention. */
export function checkMassByGroup(a: MassByGroupArguments): void {
  checkProbabilityInputs('massByGroup', a);
  checkCount('massByGroup', 'groupings', a.groupings);
  checkCount('massByGroup', 'sets', a.sets);
  checkCount('massByGroup', 'groups', a.groups);
  if (a.groupings > 0 && a.query.heads > 0 && (a.sets === 0 || a.query.heads % a.sets !== 0)) {
    fail('massByGroup', `sets is ${a.sets}, which does not divide the ${a.query.heads} query heads`);
  }
  checkSpan(
    'massByGroup',
    'groupOf',
    a.groupOf,
    'u32',
    0,
    a.groupings * a.sets * (a.byRow ? a.query.rows : 1) * a.key.rows,
  );
  checkSpan('massByGroup', 'out', a.out, 'f32', 0, a.groupings * a.query.heads * a.query.rows * a.groups);
}
