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
}: Pick<StudySpec, 'model' | 'source' | 'queriesStart'>): string {
  return keyOf([model, source, queriesStart]);
}

/** What a selection depends on, given the text. */
export function methodKey({ id, parameters }: MethodSpec): string {
  return keyOf([id, parameters]);
}
