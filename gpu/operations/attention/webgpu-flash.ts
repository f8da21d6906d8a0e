import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import { shareOf } from '../../webgpu/probabilities';
import { visibleConstants } from '../../webgpu/visible-keys';
import { scoreConstants, scored } from '../../wgsl/parts/score';
import visibleKeysCode from '../../wgsl/parts/visible-keys.wgsl';
import shader from './attention-flash.wgsl';
import stageCode from './attention-flash-stage.wgsl';
import type { AttentionArguments } from './op';
import { type AttentionTile, tileConstants, tileFor } from './webgpu-flash-shapes';
import {
  attentionOutputs,
  attentionParameters,
  attentionWork,
  mergeSplits,
  type SplitKv,
  type VectorInputs,
  visibleKeys,
} from './webgpu-split-kv';

const kernel = defineKernel('attention-flash', scored(withParts(shader, stageCode, visibleKeysCode)));

/** Keys: results of shorter splits take longer to merge than it takes to make them. */
const SHORTEST_SPLIT_OF_FEW_ROWS = 128;

/** Encodes `Ops.attention` by tiles of query rows, for heads of at most 256 channels. */
export function attentionFlash(encoder: CommandEncoder, a: AttentionArguments, inputs: VectorInputs): void {
  const { query, key, value } = inputs;
  const { list } = a.visible;
  // Query heads that see the same keys are packed (GQA): their rows share tiles.
  const headsPerPack = query.heads / Math.max(key.heads, list?.sets ?? 1);
  const packs = query.heads / headsPerPack;
  const rowsPerPack = headsPerPack * query.rows;
  const tile = tileFor(encoder, query.channels, rowsPerPack, packs, visibleKeys(a));
  const keys = visibleKeys(a, Math.ceil(tile.rows / headsPerPack) + 1);
  const rowTiles = Math.ceil(rowsPerPack / tile.rows);
  const cut = cutKeys(encoder, keys, rowTiles * packs, tile);
  const outputs = attentionOutputs(encoder, a, cut);
  const work = attentionWork(a);
  const items = rowTiles * packs * cut.splits;
  const [ofInputs, ofOutputs] = attentionParameters(a, inputs);
  // A dispatch that leaves the device idle takes as long as one that does not.
  const mostParts = Math.ceil((items * tile.threads) / encoder.parallelThreads);
  for (const { start, count } of spans(items, Math.min(encoder.partsFor(work), mostParts), 1)) {
    encoder.dispatch({
      kernel,
      constants: {
        ...tileConstants(tile, query.channels),
        ...visibleConstants(a.visible),
        ...scoreConstants(a),
      },
      buffers: {
        query: query.buffer,
        key: key.buffer,
        value: value.buffer,
        list: list?.buffer ?? encoder.unusedIntegers,
        ...outputs,
      },
      parameters: [
        {
          firstItem: start,
          endItem: start + count,
          packs,
          headsPerPack,
          rowTiles,
          channels: query.channels,
          splits: cut.splits,
          keysPerSplit: cut.keysPerSplit,
        },
        ofInputs,
        ofOutputs,
      ],
      workgroups: linearGrid(count, encoder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  mergeSplits(encoder, a, inputs, cut, outputs.splitResults);
}

/**
 * Cuts the keys where there are fewer tiles of rows than workgroups that keep the device busy. A large workgroup keeps a
 * processor busy alone, small ones fill each other's waits. The numbers were measured on an H100 (docs/performance.md).
 */
function cutKeys(encoder: CommandEncoder, keys: number, tiles: number, tile: AttentionTile): SplitKv {
  const busyWorkgroups = encoder.parallelThreads / (tile.threads > 64 ? 1024 : 256);
  const shortest = tile.rows <= 16 ? SHORTEST_SPLIT_OF_FEW_ROWS : 1;
  const wantedKeys = Math.max(shortest, keys / Math.ceil(busyWorkgroups / tiles));
  const keysPerSplit = Math.max(1, Math.ceil(wantedKeys / tile.keys)) * tile.keys;
  return { splits: Math.max(1, Math.ceil(keys / keysPerSplit)), keysPerSplit };
}
