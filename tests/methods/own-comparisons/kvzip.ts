/** A model that repeats its text. */
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = { runs: 'kvzip', comparedIn: './kvzip-golden.test.ts' };
