import type { Arguments } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { shareOf } from '../weights';
import code from './attention-flash.wgsl?raw';
import { type AttentionTile, tileConstants, tileFor } from './attention-flash-shapes';
import {
  attentionOutputs,
  attentionParameters,
  attentionWork,
  mergeSpans,
  type SpanCut,
  type VectorInputs,
  visibleKeys,
} from './attention-spans';

const kernel = defineKernel('attention-flash', code, {
  query: 'read',
  key: 'read',
  value: 'read',
  list: 'read',
  out: 'write',
  logSumExp: 'write',
  spanResults: 'write',
});

/** Records `Ops.attention` by tiles of query rows, for heads of at most 256 channels. */
export function attentionFlash(recorder: Recorder, a: Arguments<'attention'>, inputs: VectorInputs): void {
  const { query, key, value } = inputs;
  const { list } = a.visible;
  // Query heads that see the same keys form a stack.
  const stackedHeads = query.heads / Math.max(key.heads, list?.sets ?? 1);
  const stacks = query.heads / stackedHeads;
  const stackedRows = stackedHeads * query.rows;
  const keys = visibleKeys(a);
  const tile = tileFor(recorder, query.channels, stackedRows, stacks, keys);
  const rowTiles = Math.ceil(stackedRows / tile.rows);
  const cut = cutKeys(recorder, keys, rowTiles * stacks, tile);
  const outputs = attentionOutputs(recorder, a, cut);
  const work = attentionWork(a);
  const items = rowTiles * stacks * cut.spans;
  const [ofInputs, ofOutputs] = attentionParameters(a, inputs);
  for (const { start, count } of spans(items, recorder.partsFor(work), 1)) {
    recorder.dispatch({
      kernel,
      constants: tileConstants(tile, query.channels),
      buffers: {
        query: query.buffer,
        key: key.buffer,
        value: value.buffer,
        list: list?.buffer ?? recorder.unusedIntegers,
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
      workgroups: linearGrid(count, recorder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  mergeSpans(recorder, a, inputs, cut, outputs.spanResults);
}

/** Cuts the keys where there are fewer tiles of rows than workgroups that the device has room for. */
function cutKeys(recorder: Recorder, keys: number, tiles: number, tile: AttentionTile): SpanCut {
  const wanted = Math.ceil(recorder.parallelThreads / 4 / tile.threads / tiles);
  const spanKeys = Math.max(1, Math.ceil(keys / wanted / tile.keys)) * tile.keys;
  return { spans: Math.max(1, Math.ceil(keys / spanKeys)), spanKeys };
}
