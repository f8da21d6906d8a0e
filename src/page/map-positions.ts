/**
 * Whose positions the map, and what is missed, are drawn under. Past the trained length full attention at the model's positions is
 * no yardstick: a method that has positions of its own for all keys shows those, one that counts places in its cache weighs kept
 * keys only, and what is left is drawn grey.
 */

import type { MethodSpec } from '../methods/method-spec';
import { isFullAttention, ownPositionsOf } from '../methods/method-spec';
import type { FindMethod } from '../study/default-study';
import type { PageState } from './state';
import { isPastTrained } from './summary';

/** Whose positions a method's attention uses. */
export function positionsOf(
  { id, parameters }: MethodSpec,
  findMethod: FindMethod,
): 'model' | 'own' | 'cache' {
  const positions = findMethod(id)?.traits(parameters).positions ?? 'model';
  return typeof positions === 'object' ? 'own' : positions;
}

/** Whether a method is full attention at the model's own positions, which there is nothing to compare with. */
export function isFull({ id, parameters }: MethodSpec, findMethod: FindMethod): boolean {
  const method = findMethod(id);
  return method !== null && isFullAttention(method, parameters);
}

export interface MapPositions {
  /** 'cache': dropped keys have no position, so only which keys are kept is shown. */
  readonly whose: 'model' | 'own' | 'cache';
  /** For requests to the engine: null for the model's. */
  readonly key: string | null;
  /** Whether there is a choice between the method's own and the model's. */
  readonly hasOwn: boolean;
  /** Weights at the model's positions past the trained length: they say nothing. */
  readonly isVoid: boolean;
  /** Whether rows of the cache are made of several tokens: what is shown as kept are those that stand as themselves. */
  readonly isMade: boolean;
}

export function mapPositions(
  { session, text, model }: Pick<PageState, 'session' | 'text' | 'model'>,
  findMethod: FindMethod,
): MapPositions {
  const { method: spec, view } = session;
  const method = findMethod(spec.id);
  const own = method ? ownPositionsOf(method, spec.parameters) : null;
  const isPast = isPastTrained(text, model);
  const isCache = positionsOf(spec, findMethod) === 'cache';
  const isMade = method?.traits(spec.parameters).cache === 'made';
  const isOwn = own !== null && (view.positions ?? (isPast ? 'own' : 'model')) === 'own';
  if (isOwn) return { whose: 'own', key: own, hasOwn: true, isVoid: false, isMade };
  if (isMade || (isPast && isCache)) {
    return { whose: 'cache', key: null, hasOwn: false, isVoid: false, isMade };
  }
  return { whose: 'model', key: null, hasOwn: own !== null, isVoid: isPast, isMade };
}
