/** H2O drops while it reads, wherever the queries begin. */
import { shape } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = { runs: 'h2o@', evictAt: shape.tokens };
