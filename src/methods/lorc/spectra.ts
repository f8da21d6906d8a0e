/** The singular parts of a model's W_K and W_V, remembered as long as the model is open: they depend on nothing else. */
import type { Ops } from '../../../gpu/ops';
import { endOfRows } from '../../../gpu/rows';
import type { DeviceLinear } from '../../model/decoder/buffers';
import { inTurns } from '../in-turns';
import type { SingularParts } from './truncated-svd';

const known = new WeakMap<object, SingularParts>();

/** Of a map's weight. Rejects with UserError, or with the signal's reason. */
export async function partsOf(
  ops: Ops,
  { weight }: DeviceLinear,
  refusal: string,
  signal?: AbortSignal,
): Promise<SingularParts> {
  const found = known.get(weight);
  if (found) return found;
  const { singularParts } = await import('./truncated-svd');
  const data = await ops.readFloats(weight.buffer, weight.offset, endOfRows(weight) - weight.offset);
  const parts = await inTurns(singularParts(data, weight.rows, weight.channels, refusal), signal);
  known.set(weight, parts);
  return parts;
}
