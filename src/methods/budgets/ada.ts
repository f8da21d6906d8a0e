/**
 * A layer's budget shared out among its KV heads by their scores (AdaKV, arXiv 2407.11550; kvpress adakv_press.py): every head
 * keeps its own best `floorFraction` of the mean, the rest goes to the best scores of all heads together.
 */
import type { Budget } from '../compose';
import { numberIn } from '../parameters';
import { uniformAtLeastOne } from './uniform';

export const ada: Budget = {
  ...uniformAtLeastOne,
  keep(ops, parameters, layer, { score, secondary }, count) {
    const { rows: sets, length } = score;
    const floorCount = Math.max(1, Math.floor(numberIn(parameters, 'floorFraction', layer) * count));
    // One head may get all that the floors of the others leave.
    const longest = Math.min(length, sets * count - (sets - 1) * Math.min(floorCount, length));
    const buffer = ops.scratch('u32', sets * (longest + 1), 'kept keys');
    const tied = ops.scratch('u32', 1, 'tied at the cut');
    const list = {
      ...{ buffer, offset: 0, sets, count: longest, rowStride: longest },
      countsOffset: sets * longest,
    };
    ops.topKOfGroups({
      score,
      ...(secondary ? { secondary } : {}),
      rowsPerGroup: sets,
      count: sets * count,
      floorCount,
      indexBase: 0,
      out: list,
      tied: { buffer: tied, offset: 0 },
    });
    return { list, tied, tiedSets: 1 };
  },
};
