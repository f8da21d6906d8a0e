import { accumulatedAttention } from '../../operations/accumulated-attention/cpu';
import { createSimdAttention } from '../../operations/attention/simd';
import { attentionProbabilities } from '../../operations/attention-probabilities/cpu';
import { attentionTiles } from '../../operations/attention-tiles/cpu';
import { createSimdEsaImportance } from '../../operations/esa-importance/simd';
import { createSimdEsaImportanceByQuery } from '../../operations/esa-importance-by-query/simd';
import { heavyHitters } from '../../operations/heavy-hitters/cpu';
import { massByGroup } from '../../operations/mass-by-group/cpu';
import { createSimdMatmul } from '../../operations/matmul/simd';
import type * as operations from '../operations';
import type { SimdKernels } from './instance';
import { createSimdProbabilities } from './probabilities';

/** The operations that run on WebAssembly SIMD, or on attention probabilities that do. */
export function simdOperations(kernels: SimdKernels): Partial<typeof operations> {
  const ofHead = createSimdProbabilities(kernels);
  const matmul = createSimdMatmul(kernels);
  return {
    matmul,
    heavyHitters: (a) => heavyHitters(a, matmul),
    attention: createSimdAttention(kernels),
    esaImportance: createSimdEsaImportance(kernels),
    esaImportanceByQuery: createSimdEsaImportanceByQuery(kernels),
    accumulatedAttention: (a) => accumulatedAttention(a, ofHead),
    massByGroup: (a) => massByGroup(a, ofHead),
    attentionProbabilities: (a) => attentionProbabilities(a, ofHead),
    attentionTiles: (a) => attentionTiles(a, ofHead),
  };
}
