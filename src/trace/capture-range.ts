/** Whether a capture's numbers stay within 32 bits when attention is computed from them. */

import { UserError } from '../base/user-error';
import type { Capture, CaptureLayer } from '../model/capture/capture';

/** Scores up to here, either side of 0; what masks and sums need lies between it and the largest number of 32 bits, 3.4e38. */
const LARGEST_SCORE = 3e38;
/** Queries, keys and sums of values up to here: their differences are numbers, too. */
const LARGEST_VALUE = 1e38;

/**
 * Throws UserError, with layer and head, for queries and keys whose scores may leave what 32 bits hold: |q·k| ≤ ‖q‖·‖k‖, before
 * and after the scale; and for values of which a sum over the text may. Both backends compute all that is let through.
 */
export function checkRange(capture: Capture, layer: number, tensors: CaptureLayer): void {
  const { queryHeads: H, keyValueHeads: G, tokens: T, attentionScale } = capture;
  const refuse = (head: string, what: string): never => {
    throw new UserError(
      `Layer ${layer}, ${head} of the capture: ${what}, more than can be computed with in 32 bits; scale what was recorded.`,
    );
  };
  const { value } = tensors;
  const pairs = [
    ['', tensors.query, tensors.key],
    ['un-rotated ', tensors.queryUnrotated, tensors.keyUnrotated],
  ] as const;
  for (const [kind, query, key] of pairs) {
    if (!query || !key) continue;
    const queries = extents(query, H, T);
    const keys = extents(key, G, T);
    queries.forEach((ofQuery, head) => {
      const ofKey = keys[Math.floor((head * G) / H)];
      if (ofQuery.largest > LARGEST_VALUE || ofKey!.largest > LARGEST_VALUE)
        refuse(`head ${head}`, `${kind}queries or keys reach ${most(ofQuery.largest, ofKey!.largest)}`);
      const score = ofQuery.norm * ofKey!.norm * Math.max(1, attentionScale);
      if (score > LARGEST_SCORE)
        refuse(`head ${head}`, `scores of ${kind}queries and keys may reach ${score.toExponential(1)}`);
    });
  }
  extents(value, G, T).forEach(({ largest }, head) => {
    if (T * largest > LARGEST_VALUE)
      refuse(`key-value head ${head}`, `sums of its values may reach ${(T * largest).toExponential(1)}`);
  });
}

function most(...values: number[]): string {
  return Math.max(...values).toExponential(1);
}

/** The largest magnitude and the largest norm of a row, by head; of [heads, T, d]. */
function extents(data: Float32Array, heads: number, tokens: number): { largest: number; norm: number }[] {
  const channels = data.length / heads / tokens;
  return Array.from({ length: heads }, (_, head) => {
    let largest = 0;
    let squares = 0;
    for (let row = head * tokens; row < (head + 1) * tokens; row++) {
      let sum = 0;
      for (let i = row * channels; i < (row + 1) * channels; i++) {
        const magnitude = Math.abs(data[i]!);
        if (magnitude > largest) largest = magnitude;
        sum += magnitude * magnitude;
      }
      if (sum > squares) squares = sum;
    }
    return { largest, norm: Math.sqrt(squares) };
  });
}
