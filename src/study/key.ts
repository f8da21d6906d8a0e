import type { Method } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { MethodSpec, StudySpec } from './types';

/** One string for equal plain data, whatever the order of its keys. */
export function keyOf(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** What a text, and full attention on it, depend on. */
export function textKey({
  model,
  source,
  queriesStart,
  startToken,
}: Pick<StudySpec, 'model' | 'source' | 'queriesStart' | 'startToken'>): string {
  return keyOf([model, source, queriesStart, startToken]);
}

/** What a selection depends on, given the text. */
export function methodKey({ id, parameters }: MethodSpec): string {
  return keyOf([id, parameters]);
}

/** What a method's own positions of all keys depend on, given the text; null: it has none for all of them. */
export function ownPositionsOf(
  method: Pick<Method, 'id' | 'positions'>,
  parameters: Parameters,
): string | null {
  const positions = method.positions?.(parameters) ?? 'model';
  return typeof positions === 'object' ? keyOf([method.id, positions.own]) : null;
}
