import type { DeviceBuffer, Rows } from '../../rows';
import { checkBuffer, checkFinite, checkInput, checkOutput, checkSameOrApart } from '../../validate';

/**
 * Per row: rms: x / √(mean(x²) + ε) · weight; layer: (x − mean) / √(var + ε) · weight + bias (var biased). out may be
 * input. weight, bias: [channels].
 */
export interface NormalizeArguments {
  readonly kind: 'rms' | 'layer';
  readonly input: Rows;
  readonly weight: DeviceBuffer;
  readonly bias?: DeviceBuffer;
  readonly epsilon: number;
  readonly out: Rows;
}

export function checkNormalize(a: NormalizeArguments): void {
  checkInput('normalize', 'input', a.input);
  checkOutput('normalize', 'out', a.out, a.input);
  checkFinite('normalize', 'epsilon', a.epsilon);
  checkBuffer('normalize', 'weight', a.weight, 'f32', a.input.channels);
  if (a.bias) checkBuffer('normalize', 'bias', a.bias, 'f32', a.input.channels);
  checkSameOrApart('normalize', 'out', a.out, 'input', a.input);
}
