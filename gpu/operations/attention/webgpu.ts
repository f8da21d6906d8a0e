import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import { shareOf } from '../../webgpu/probabilities';
import { asVectors } from '../../webgpu/vectors';
import { visibleConstants } from '../../webgpu/visible-keys';
import { scoreConstants, scored } from '../../wgsl/parts/score';
import visibleKeysCode from '../../wgsl/parts/visible-keys.wgsl';
import shader from './attention.wgsl';
import { type AttentionArguments, checkAttention } from './op';
import { attentionFlash } from './webgpu-flash';
import { MOST_FLASH_CHANNELS } from './webgpu-flash-shapes';
import {
  attentionOutputs,
  attentionParameters,
  attentionWork,
  mergeSplits,
  type VectorInputs,
  visibleKeys,
} from './webgpu-split-kv';

const kernel = defineKernel('attention', scored(withParts(shader, visibleKeysCode)));

const THREADS = 64;
/** Queries of a thread. */
const MOST_ROWS = 4;
/** Keys worth a thread of their own. */
const SHORTEST_SPLIT = 32;

/** Encodes `Ops.attention`. */
export function attention(encoder: CommandEncoder, a: AttentionArguments): void {
  checkAttention(a);
  if (a.query.heads === 0 || a.query.rows === 0) return;
  const inputs = {
    query: asVectors(encoder, a.query),
    key: asVectors(encoder, a.key),
    value: asVectors(encoder, a.value),
  };
  if (encoder.isSoftwareAdapter || inputs.query.channels > MOST_FLASH_CHANNELS) {
    attentionInRegisters(encoder, a, inputs);
  } else {
    attentionFlash(encoder, a, inputs);
  }
}

/** A thread for some rows and a split of the keys: workgroup memory is none on a software adapter. */
function attentionInRegisters(encoder: CommandEncoder, a: AttentionArguments, inputs: VectorInputs): void {
  const { query, key, value } = inputs;
  const { channels } = query;
  const queries = query.heads * query.rows;
  const keys = visibleKeys(a, MOST_ROWS);

  // Cut the keys until queries and splits are as many as the device has threads.
  const wantedSplits = Math.ceil(encoder.parallelThreads / queries);
  const keysPerSplit = Math.max(SHORTEST_SPLIT, Math.ceil(keys / wantedSplits / 8) * 8);
  const cut = { splits: Math.max(1, Math.ceil(keys / keysPerSplit)), keysPerSplit };
  const rows = rowsPerThread(query.rows, channels, (4 * queries * cut.splits) / encoder.parallelThreads);
  const outputs = attentionOutputs(encoder, a, cut);
  const [ofInputs, ofOutputs] = attentionParameters(a, inputs);
  const work = attentionWork(a);
  const items = query.heads * Math.ceil(query.rows / rows) * cut.splits;
  for (const { start, count } of spans(items, encoder.partsFor(work), THREADS)) {
    encoder.dispatch({
      kernel,
      constants: {
        VECTORS: channels / 4,
        ROWS: rows,
        WHOLE: cut.splits === 1,
        ...visibleConstants(a.visible),
        ...scoreConstants(a),
      },
      buffers: {
        query: query.buffer,
        key: key.buffer,
        value: value.buffer,
        list: a.visible.list?.buffer ?? encoder.unusedIntegers,
        ...outputs,
      },
      parameters: [{ firstItem: start, endItem: start + count }, cut, ofInputs, ofOutputs],
      workgroups: linearGrid(Math.ceil(count / THREADS), encoder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  mergeSplits(encoder, a, inputs, cut, outputs.splitResults);
}

/**
 * As many rows as a thread's registers have room for: results take `channels` of them a row. Rows of one thread are computed
 * at the same time, so that up to four of them stand in for threads; `most` says how many leave the device busy.
 */
function rowsPerThread(queryRows: number, channels: number, most: number): number {
  const room = channels <= 32 ? MOST_ROWS : channels <= 64 ? 2 : 1;
  const useful = 2 ** Math.max(0, Math.floor(Math.log2(most)));
  return Math.min(room, useful, 2 ** Math.ceil(Math.log2(queryRows)));
}
