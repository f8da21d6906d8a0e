/** A method with its parameters, as plain data, and what its results depend on. */
import { fingerprint } from '../base/fingerprint';
import type { Method } from './method';
import type { Parameters } from './parameters';

export interface MethodSpec {
  readonly id: string;
  readonly parameters: Parameters;
}

/** Whether a method is what all are measured against: every key, at the model's own positions. */
export function isFullAttention(method: Pick<Method, 'traits'>, parameters: Parameters): boolean {
  const { decides, positions, cache } = method.traits(parameters);
  return decides === 'never' && positions === 'model' && cache === 'tokens';
}

/** Whether a method evicts once, and where a study's queries begin: not wherever they do, and not at a place of its own. */
export function evictsAtQueries(method: Pick<Method, 'traits'>, parameters: Parameters): boolean {
  const { decides, evictsAt } = method.traits(parameters);
  return decides === 'once' && evictsAt === undefined;
}

/** What a selection depends on, given the text. */
export function methodKey({ id, parameters }: MethodSpec): string {
  return fingerprint([id, parameters]);
}

/** What a method's own positions of all keys depend on, given the text; null: it has none for all of them. */
export function ownPositionsOf(method: Pick<Method, 'id' | 'traits'>, parameters: Parameters): string | null {
  const { positions } = method.traits(parameters);
  return typeof positions === 'object' ? fingerprint([method.id, positions.own]) : null;
}
