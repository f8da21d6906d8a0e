/** How many keys stay, in all heads together: kvpress drops int(n·ratio) of n, kvzip_press.py, compress_post. */
import { NOTHING_TO_EVICT } from '../budget';
import type { Method } from '../method';
import { numberIn, type ParameterContext, type Parameters } from '../parameters';

type Sizes = Pick<ParameterContext, 'layers' | 'keyValueHeads'>;

function keptOf(keys: number, keepFraction: number): number {
  return keys - Math.floor(keys * (1 - keepFraction));
}

/** Of one layer's heads, where every layer has its own budget. */
export function keptIn(
  parameters: Parameters,
  { keyValueHeads }: Sizes,
  layer: number,
  evictAt: number,
): number {
  return keptOf(keyValueHeads * evictAt, numberIn(parameters, 'keepFraction', layer));
}

/** Of the heads of all layers, at the mean of their fractions. */
export function keptOver(parameters: Parameters, { layers, keyValueHeads }: Sizes, evictAt: number): number {
  return keptOf(layers * keyValueHeads * evictAt, meanFraction(parameters, layers));
}

function meanFraction(parameters: Parameters, layers: number): number {
  const { keepFraction } = parameters;
  if (typeof keepFraction === 'number') return keepFraction;
  let sum = 0;
  for (let layer = 0; layer < layers; layer++) sum += numberIn(parameters, 'keepFraction', layer);
  return sum / layers;
}

/** ⌊f·S⌋ keys a head on average: where rounding up what stays would keep more, a fraction that does not. */
export const withRoundedFraction: Method['withBudget'] = (parameters, context, keepFraction, places) => {
  const { evictAt } = places;
  if (evictAt <= 0) return { reason: NOTHING_TO_EVICT };
  const each = Math.floor(keepFraction * evictAt);
  const { layers, keyValueHeads: G } = context;
  const isWithin = [G, layers * G].every((heads) => keptOf(heads * evictAt, keepFraction) <= heads * each);
  const fraction = isWithin ? keepFraction : Math.max(0, (each - 0.5 / (layers * G)) / evictAt);
  return { parameters: { ...parameters, keepFraction: fraction } };
};
