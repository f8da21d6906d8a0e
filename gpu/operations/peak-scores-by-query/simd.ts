import type { SimdKernels } from '../../cpu/simd/instance';
import { pays, scoreBlocks } from '../../cpu/simd/score-blocks';
import { peakScoresByQuery, putRelative } from './cpu';
import { checkPeakScoresByQuery } from './op';

/** The same as the reference's `peakScoresByQuery`. */
export function createSimdPeakScoresByQuery(kernels: SimdKernels): typeof peakScoresByQuery {
  return (a) => {
    if (!pays(a)) return peakScoresByQuery(a);
    checkPeakScoresByQuery(a);
    scoreBlocks(kernels, a, 0, { take: (memory, row, scoresAt) => putRelative(a, row, memory, scoresAt) });
  };
}
