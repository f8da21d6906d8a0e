/** The prompt of a text, for methods that look at all of it before they read it. */
import { sliceRows } from '../../gpu/rows';
import type { PromptRows } from './method';

/** Of rows of a text the first `promptEnd`; null: there are none. */
export function promptOf({ query, key, value }: PromptRows, promptEnd: number): PromptRows | null {
  if (promptEnd === 0) return null;
  const [ofQuery, ofKey, ofValue] = [query, key, value].map((rows) => sliceRows(rows, 0, promptEnd));
  return { query: ofQuery!, key: ofKey!, value: ofValue! };
}
