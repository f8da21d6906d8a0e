import type { Rows } from '../../rows';
import { checkApart, checkCount, checkInput, checkOutput, fail } from '../../validate';

/**
 * The smallest and the largest entry of each channel over consecutive pages of key rows (Quest, arXiv 2406.10774): key [G,m,d],
 * minimum and maximum [G, ⌈m/pageLength⌉, d]. The last page has what rows are left. A channel with a NaN has NaN for both.
 * minimum and maximum are in buffers of their own.
 */
export interface PageBoundsArguments {
  readonly key: Rows;
  readonly pageLength: number;
  readonly minimum: Rows;
  readonly maximum: Rows;
}

export function checkPageBounds(a: PageBoundsArguments): void {
  const { key, pageLength, minimum, maximum } = a;
  checkInput('pageBounds', 'key', key);
  checkCount('pageBounds', 'pageLength', pageLength);
  if (pageLength === 0) fail('pageBounds', 'pageLength is 0, so pages hold no rows');
  const shape = { heads: key.heads, rows: Math.ceil(key.rows / pageLength), channels: key.channels };
  checkOutput('pageBounds', 'minimum', minimum, shape);
  checkOutput('pageBounds', 'maximum', maximum, shape);
  checkApart('pageBounds', 'minimum', minimum, 'key', key);
  checkApart('pageBounds', 'maximum', maximum, 'key', key);
  // WebGPU lets no dispatch write a buffer twice.
  if (maximum.buffer === minimum.buffer) fail('pageBounds', 'maximum must not be in the buffer of minimum');
}
