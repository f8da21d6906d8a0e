import type { Arguments } from '../../validate';
import type { Recorder } from '../recorder';
import { activate } from './activate';
import { argmax } from './argmax';
import { attention } from './attention';
import { attentionColumnSums } from './attention-column-sums';
import { attentionTiles } from './attention-tiles';
import { attentionWeights } from './attention-weights';
import { copyRows } from './copy-rows';
import { dilate } from './dilate';
import { gate } from './gate';
import { gatherRows } from './gather-rows';
import { lagScores } from './lag-scores';
import { massByClass } from './mass-by-class';
import { matmul } from './matmul';
import { mergeAttention } from './merge-attention';
import { normalize } from './normalize';
import { peakScores } from './peak-scores';
import { peakScoresByQuery } from './peak-scores-by-query';
import { rotate } from './rotate';
import { segmentRanks } from './segment-ranks';
import { sumHeads } from './sum-heads';
import { topK } from './top-k';

const operations = {
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
  peakScoresByQuery,
  dilate,
  topK,
  lagScores,
  segmentRanks,
  attentionColumnSums,
  massByClass,
  attentionWeights,
  attentionTiles,
};

export type KernelOps = { [Name in keyof typeof operations]: (a: Arguments<Name>) => void };

/** Every operation that is a kernel, bound to a recorder. */
export function kernelOps(recorder: Recorder): KernelOps {
  const bound = Object.entries(operations).map(([name, operation]) => [
    name,
    (a: never) => {
      operation(recorder, a);
      recorder.releaseTemporaries();
    },
  ]);
  return Object.fromEntries(bound);
}
