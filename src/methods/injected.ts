/** Tensors that a method cannot do without and that only a capture brings (docs/captures.md). */
import type { Rows } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import type { InjectedName, InjectedTensor } from '../model/capture/injected';
import type { MethodContext } from './method';

/** What the text brings under that name. Throws UserError where it brings nothing: ask in `start`. */
export function neededTensor<Name extends InjectedName>(
  methodId: string,
  context: Pick<MethodContext, 'injected'>,
  name: Name,
  layer: number,
): InjectedTensor<Name> {
  return context.injected(name, layer) ?? refuse(methodId, name, layer);
}

/** W_O, [D, H·d]. Throws UserError where the text brings none: ask in `start`. */
export function neededOutputWeight(
  methodId: string,
  context: Pick<MethodContext, 'outputWeight'>,
  layer: number,
): Rows {
  return context.outputWeight(layer) ?? refuse(methodId, 'output_projection', layer);
}

function refuse(methodId: string, name: string, layer: number): never {
  throw new UserError(
    `${methodId} needs ${name}.${layer}, which this text does not bring; add it to the capture or change the parameters.`,
  );
}
