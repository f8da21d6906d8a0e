import type { SimdKernels } from '../../cpu/simd/instance';
import { pays, scoreBlocks } from '../../cpu/simd/score-blocks';
import { esaImportanceByQuery, putRelative } from './cpu';
import { checkEsaImportanceByQuery } from './op';

/** The same as the reference's `esaImportanceByQuery`. */
export function createSimdEsaImportanceByQuery(kernels: SimdKernels): typeof esaImportanceByQuery {
  return (a) => {
    if (!pays(a)) return esaImportanceByQuery(a);
    checkEsaImportanceByQuery(a);
    scoreBlocks(kernels, a, 0, { take: (memory, row, scoresAt) => putRelative(a, row, memory, scoresAt) });
  };
}
