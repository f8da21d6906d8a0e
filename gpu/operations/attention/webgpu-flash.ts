import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import { shareOf } from '../../webgpu/probabilities';
import { visibleConstants } from '../../webgpu/visible-keys';
import visibleKeysCode from '../../wgsl/parts/visible-keys.wgsl';
import shader from './attention-flash.wgsl';
import stageCode from './attention-flash-stage.wgsl';
import type { AttentionArguments } from './op';
import { type AttentionTile, tileConstants, tileFor } from './webgpu-flash-shapes';
import {
  attentionOutputs,
  attentionParameters,
  attentionWork,
  mergeSpans,
  type SpanCut,
  type VectorInputs,
  visibleKeys,
} from './webgpu-spans';

const kernel = defineKernel('attention-flash', withParts(shader, stageCode, visibleKeysCode));

/** Keys: results of shorter spans take longer to merge than it takes to make them. */
const SHORTEST_SPAN_OF_FEW_ROWS = 128;

/** Encodes `Ops.attention` by tiles of query rows, for heads of at most 256 channels. */
export function attentionFlash(encoder: CommandEncoder, a: AttentionArguments, inputs: VectorInputs): void {
  const { query, key, value } = inputs;
  const { list } = a.visible;
  // Query heads that see the same keys form a stack.
  const stackedHeads = query.heads / Math.max(key.heads, list?.sets ?? 1);
  const stacks = query.heads / stackedHeads;
  const stackedRows = stackedHeads * query.rows;
  const tile = tileFor(encoder, query.channels, stackedRows, stacks, visibleKeys(a));
  const keys = visibleKeys(a, Math.ceil(tile.rows / stackedHeads) + 1);
  const rowTiles = Math.ceil(stackedRows / tile.rows);
  const cut = cutKeys(encoder, keys, rowTiles * stacks, tile);
  const outputs = attentionOutputs(encoder, a, cut);
  const work = attentionWork(a);
  const items = rowTiles * stacks * cut.spans;
  const [ofInputs, ofOutputs] = attentionParameters(a, inputs);
  // A dispatch that leaves the device idle takes as long as one that does not.
  const mostParts = Math.ceil((items * tile.threads) / encoder.parallelThreads);
  for (const { start, count } of spans(items, Math.min(encoder.partsFor(work), mostParts), 1)) {
    encoder.dispatch({
      kernel,
      constants: { ...tileConstants(tile, query.channels), ...visibleConstants(a.visible) },
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
          stacks,
          stackedHeads,
          rowTiles,
          channels: query.channels,
          spans: cut.spans,
          spanKeys: cut.spanKeys,
        },
        ofInputs,
        ofOutputs,
      ],
      workgroups: linearGrid(count, encoder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  mergeSpans(encoder, a, inputs, cut, outputs.spanResults);
}

/**
 * Cuts the keys where there are fewer tiles of rows than workgroups that keep the device busy. A large workgroup keeps a
 * processor busy alone, small ones fill each other's waits. The numbers were measured on an H100 (docs/performance.md).
 */
function cutKeys(encoder: CommandEncoder, keys: number, tiles: number, tile: AttentionTile): SpanCut {
  const busyWorkgroups = encoder.parallelThreads / (tile.threads > 64 ? 1024 : 256);
  const shortest = tile.rows <= 16 ? SHORTEST_SPAN_OF_FEW_ROWS : 1;
  const wantedKeys = Math.max(shortest, keys / Math.ceil(busyWorkgroups / tiles));
  const spanKeys = Math.max(1, Math.ceil(wantedKeys / tile.keys)) * tile.keys;
  return { spans: Math.max(1, Math.ceil(keys / spanKeys)), spanKeys };
}
