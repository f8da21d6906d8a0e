import type { ProbabilityInputs } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import { asRows, checkApart, checkSpan } from '../../validate';
import { checkProbabilityInputs } from '../../validate/probability-inputs';

/** out[h, i, t] = exp(score − lse) where query i sees key t, 0 elsewhere. out is dense [H, n, m]. */
export interface AttentionProbabilitiesArguments extends ProbabilityInputs {
  readonly out: DeviceBuffer;
}

export function checkAttentionProbabilities(a: AttentionProbabilitiesArguments): void {
  checkProbabilityInputs('attentionProbabilities', a);
  const length = a.query.heads * a.query.rows * a.key.rows;
  checkSpan('attentionProbabilities', 'out', a.out, 'f32', 0, length);
  const out = asRows({ buffer: a.out, offset: 0, rows: 1, length, rowStride: 0 });
  checkApart('attentionProbabilities', 'out', out, 'query', a.query);
  checkApart('attentionProbabilities', 'out', out, 'key', a.key);
}
