/** The operations in plain TypeScript: reference of every kernel, and what runs where there is no WebGPU. */
import type { MeasuredTime, Ops } from '../ops';
import { activate, gate } from './activation';
import { attention } from './attention';
import { attentionColumnSums, attentionWeights, massByClass } from './attention-mass';
import { attentionTile } from './attention-tile';
import { lagScores } from './lag-scores';
import { matmul } from './matmul';
import { mergeAttention } from './merge-attention';
import { normalize } from './normalize';
import { createPace } from './pace';
import { dilate, peakScores } from './peak-scores';
import { argmax, sumHeads } from './reduce';
import { copyRows, gatherRows, rotate } from './rows';
import { segmentRanks } from './segment-ranks';
import { createStorage } from './storage';
import { topK } from './top-k';

export interface CpuOptions {
  /** Time after which `pace` lets other messages in; 25 unless told. */
  readonly yieldAfterMilliseconds?: number;
}

/** Every operation runs at once, on the calling thread, with sums in double precision. */
export function createCpuOps(options: CpuOptions = {}): Ops {
  const storage = createStorage();
  const { pace, close } = createPace(options.yieldAfterMilliseconds ?? 25);
  return {
    backend: 'cpu',
    description: 'CPU, one thread',
    isSoftware: false,
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
    matmul,
    gate,
    activate,
    rotate,
    attention,
    mergeAttention,
    argmax,
    sumHeads,
    peakScores,
    dilate,
    topK,
    lagScores,
    segmentRanks,
    attentionColumnSums,
    massByClass,
    attentionWeights,
    attentionTile,
  };
}
