/** A model's weights and its hidden states, not a capture's keys. */
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = { runs: 'lorc@', comparedIn: './lorc-golden.test.ts' };
