/** kvpress scores sinks and the last lags alike, 64 of 192 tokens: keeping 38, it chooses among equals. */
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = { runs: 'lagkv_kvpress@0.8', leastOutside: 0.66 };
