/** A layer of a text that was read, as it is when everything before the eviction was: for what is made before anything is selected. */
import { sliceRows } from '../../gpu/rows';
import type { LayerTrace } from '../trace/trace';
import type { LayerInput } from './method';

/** All queries before the eviction are there, an empty block behind them is asked about, and no other layer. */
export function atEviction(trace: LayerTrace, evictAt: number): LayerInput {
  return {
    ...{ layer: trace.layer, block: { start: evictAt, end: evictAt } },
    // Rotated rows are made where they are read.
    get query() {
      return sliceRows(trace.query, evictAt, 0);
    },
    get key() {
      return sliceRows(trace.key, 0, evictAt);
    },
    value: sliceRows(trace.value, 0, evictAt),
    ...{ queryUnrotated: null, keyUnrotated: null, hidden: null, logSumExp: null },
    queriesBefore: (end) => sliceRows(trace.query, 0, end),
    ...{ prompt: () => null, inLayer: () => null, atBlock: () => null },
  };
}
