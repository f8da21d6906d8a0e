/** Numbers that are none: refused where they come from, before anything is computed with them. */
import { UserError } from '../user-error';
import { quote } from './quote';
import { shapeText } from './tensor-source';

/** Place of the first value that is NaN or infinite; −1: all are finite. */
export function firstNotFinite(values: Float32Array): number {
  // One sum per block: what is not finite makes it NaN.
  const block = 4096;
  for (let start = 0; start < values.length; start += block) {
    const end = Math.min(values.length, start + block);
    let zero = 0;
    for (let i = start; i < end; i++) zero += values[i] * 0;
    if (zero === 0) continue;
    for (let i = start; i < end; i++) if (!Number.isFinite(values[i])) return i;
  }
  return -1;
}

/** A weight tensor's values as they are; UserError that names the tensor and the place where one is not finite. */
export function finiteWeights(name: string, shape: readonly number[], values: Float32Array): Float32Array {
  const at = firstNotFinite(values);
  if (at < 0) return values;
  let rest = at;
  const place = shape
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = (rest - index) / size;
      return index;
    })
    .toReversed();
  const layer = /(?:^|\.)(?:layers|h)\.(\d+)\./.exec(name)?.[1];
  throw new UserError(
    `Tensor ${quote(name)}${layer === undefined ? '' : ` of layer ${layer}`} holds ${values[at]} at ${shapeText(place)}; ` +
      'a model with weights that are not finite cannot be run: save or convert it anew.',
  );
}
