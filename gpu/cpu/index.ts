/**
 * The operations in plain TypeScript: reference of every kernel, and what runs where there is no WebGPU. There, matrix
 * products, attention and its weights, and scores for selection, which take most of the time, run on WebAssembly SIMD.
 */
import type { MeasuredTime, Ops } from '../ops';
import { activate, gate } from './activation';
import { attention } from './attention';
import { attentionColumnSums, attentionWeights, massByClass } from './attention-mass';
import { attentionTiles } from './attention-tiles';
import { lagScores } from './lag-scores';
import { matmul } from './matmul';
import { mergeAttention } from './merge-attention';
import { normalize } from './normalize';
import { createPace } from './pace';
import { dilate, peakScores, peakScoresByQuery } from './peak-scores';
import { argmax, sumHeads } from './reduce';
import { copyRows, gatherRows, rotate } from './rows';
import { segmentRanks } from './segment-ranks';
import { createSimdAttention } from './simd/attention';
import { createSimdKernels } from './simd/instance';
import { createSimdMatmul } from './simd/matmul';
import { createSimdPeakScores, createSimdPeakScoresByQuery } from './simd/peak-scores';
import { createSimdWeighHead } from './simd/weights';
import { createStorage } from './storage';
import { topK } from './top-k';
import { weighHead } from './weights';

export interface CpuOptions {
  /** Time after which `pace` lets other messages in; 25 unless told. */
  readonly yieldAfterMilliseconds?: number;
  /** False for the reference: plain TypeScript, sums in double precision. True unless told. */
  readonly simd?: boolean;
  /** What all buffers together may take; at most 4 GiB unless told. */
  readonly memoryBytes?: number;
}

/**
 * Every operation runs at once, on the calling thread. Sums are in double precision, but those of matmul, attention and
 * its weights in single precision where WebAssembly SIMD is here and wanted.
 */
export function createCpuOps(options: CpuOptions = {}): Ops {
  const storage = createStorage(options.memoryBytes);
  const { pace, close } = createPace(options.yieldAfterMilliseconds ?? 25);
  const kernels = options.simd === false ? undefined : createSimdKernels();
  const weigh = kernels ? createSimdWeighHead(kernels) : weighHead;
  return {
    backend: 'cpu',
    description: kernels ? 'CPU, WebAssembly SIMD' : 'CPU, plain TypeScript',
    isSoftware: false,
    async prepare() {},
    ...storage,
    pace,
    stopwatch() {
      const start = performance.now();
      return {
        async stop(): Promise<MeasuredTime> {
          return { milliseconds: performance.now() - start, clock: 'wall' };
        },
      };
    },
    destroy() {
      storage.destroy();
      close();
    },
    gatherRows,
    copyRows,
    normalize,
    matmul: kernels ? createSimdMatmul(kernels) : matmul,
    gate,
    activate,
    rotate,
    attention: kernels ? createSimdAttention(kernels) : attention,
    mergeAttention,
    argmax,
    sumHeads,
    peakScores: kernels ? createSimdPeakScores(kernels) : peakScores,
    peakScoresByQuery: kernels ? createSimdPeakScoresByQuery(kernels) : peakScoresByQuery,
    dilate,
    topK,
    lagScores,
    segmentRanks,
    attentionColumnSums: (a) => attentionColumnSums(a, weigh),
    massByClass: (a) => massByClass(a, weigh),
    attentionWeights: (a) => attentionWeights(a, weigh),
    attentionTiles: (a) => attentionTiles(a, weigh),
  };
}
