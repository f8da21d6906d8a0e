/** Every operation in plain TypeScript. */

export { activate } from '../operations/activate/cpu';
export { argmax } from '../operations/argmax/cpu';
export { attention } from '../operations/attention/cpu';
export { attentionColumnSums } from '../operations/attention-column-sums/cpu';
export { attentionTiles } from '../operations/attention-tiles/cpu';
export { attentionWeights } from '../operations/attention-weights/cpu';
export { copyRows } from '../operations/copy-rows/cpu';
export { gate } from '../operations/gate/cpu';
export { gatherRows } from '../operations/gather-rows/cpu';
export { lagScores } from '../operations/lag-scores/cpu';
export { massByClass } from '../operations/mass-by-class/cpu';
export { matmul } from '../operations/matmul/cpu';
export { mergeAttention } from '../operations/merge-attention/cpu';
export { normalize } from '../operations/normalize/cpu';
export { peakScores } from '../operations/peak-scores/cpu';
export { peakScoresByQuery } from '../operations/peak-scores-by-query/cpu';
export { pool } from '../operations/pool/cpu';
export { rotate } from '../operations/rotate/cpu';
export { segmentRanks } from '../operations/segment-ranks/cpu';
export { sumHeads } from '../operations/sum-heads/cpu';
export { topK } from '../operations/top-k/cpu';
export { topKOfGroups } from '../operations/top-k-of-groups/cpu';
