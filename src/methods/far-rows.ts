/**
 * How queries are compared with far tokens by ESA (arXiv 2502.14477, section 3.2 and App. G, Alg. 1) and InfLLM: un-rotated keys, seen
 * from one position.
 */
import { headMajorRows } from '../../gpu/rows';
import type { FarRows, MethodContext, UnrotatedInput } from './method';
import { unrotatedKey, unrotatedQuery } from './unrotated';

/** Queries seen from `globalPosition`, and un-rotated keys: what far tokens are compared by. The caller releases `owned`. */
export function farRows(
  methodId: string,
  { ops, rotationOf }: Pick<MethodContext, 'ops' | 'rotationOf'>,
  globalPosition: number,
  input: UnrotatedInput,
): FarRows {
  const query = unrotatedQuery(methodId, input);
  const key = unrotatedKey(methodId, input);
  const rotation = rotationOf(input.layer);
  if (!rotation) return { query, key, owned: [] };
  const { heads, rows, channels } = query;
  const buffer = ops.scratch('f32', heads * rows * channels, 'queries at one position');
  const out = headMajorRows(buffer, heads, rows, channels);
  ops.rotate({ input: query, table: rotation, positions: { start: globalPosition, step: 0 }, out });
  // Keys stand at 0, where a rotary table is the identity but for YaRN's factor; it is applied to the query instead.
  if (rotation.scale !== 1) {
    ops.rotate({ input: out, table: rotation, positions: { start: 0, step: 0 }, out });
  }
  return { query: out, key, owned: [buffer] };
}
