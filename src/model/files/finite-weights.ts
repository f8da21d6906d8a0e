/** Weights that are no numbers are refused where they are read. */
import { firstNotFinite } from '../../base/finite';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { shapeText } from './tensor-source';

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
