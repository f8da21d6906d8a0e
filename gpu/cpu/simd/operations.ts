import { createSimdAttention } from '../../operations/attention/simd';
import { attentionColumnSums } from '../../operations/attention-column-sums/cpu';
import { attentionTiles } from '../../operations/attention-tiles/cpu';
import { attentionWeights } from '../../operations/attention-weights/cpu';
import { massByClass } from '../../operations/mass-by-class/cpu';
import { createSimdMatmul } from '../../operations/matmul/simd';
import { createSimdPeakScores } from '../../operations/peak-scores/simd';
import { createSimdPeakScoresByQuery } from '../../operations/peak-scores-by-query/simd';
import type * as operations from '../operations';
import type { SimdKernels } from './instance';
import { createSimdWeighHead } from './weights';

/** The operations that run on WebAssembly SIMD, or on attention weights that do. */
export function simdOperations(kernels: SimdKernels): Partial<typeof operations> {
  const weigh = createSimdWeighHead(kernels);
  return {
    matmul: createSimdMatmul(kernels),
    attention: createSimdAttention(kernels),
    peakScores: createSimdPeakScores(kernels),
    peakScoresByQuery: createSimdPeakScoresByQuery(kernels),
    attentionColumnSums: (a) => attentionColumnSums(a, weigh),
    massByClass: (a) => massByClass(a, weigh),
    attentionWeights: (a) => attentionWeights(a, weigh),
    attentionTiles: (a) => attentionTiles(a, weigh),
  };
}
