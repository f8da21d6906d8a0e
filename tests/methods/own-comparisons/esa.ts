/** Dilated scores tie in runs; what they were dilated from decides, here and in the reference. */
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = { runs: 'esa@', breaksTies: true };
