/** The code computes in single precision what is all but singular: its scores are 1.3e-5 of the largest away from double precision. */
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = { runs: 'leverage@', tolerance: 4e-5 };
