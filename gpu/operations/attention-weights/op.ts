import type { WeightInputs } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import { asRows, checkApart, checkSpan } from '../../validate';
import { checkWeightInputs } from '../../validate/weight-inputs';

/** out[h, i, t] = exp(q·k·scale − lse) where query i sees key t, 0 elsewhere. out is dense [H, n, m]. */
export interface AttentionWeightsArguments extends WeightInputs {
  readonly out: DeviceBuffer;
}

export function checkAttentionWeights(a: AttentionWeightsArguments): void {
  checkWeightInputs('attentionWeights', a);
  const length = a.query.heads * a.query.rows * a.key.rows;
  checkSpan('attentionWeights', 'out', a.out, 'f32', 0, length);
  const out = asRows({ buffer: a.out, offset: 0, rows: 1, length, rowStride: 0 });
  checkApart('attentionWeights', 'out', out, 'query', a.query);
  checkApart('attentionWeights', 'out', out, 'key', a.key);
}
