/** LagKV as its authors run it: compression follows the reading, `use_then_compress` (lag_kv.py, LagKV.update). */
import { keepEverything } from '../keep-everything';
import type { MethodContext, MethodRun } from '../method';
import type { Parameters } from '../parameters';
import { positionsByChoice } from '../positions';
import { CompressedLayer } from './compressed-layer';
import { constantChannelNotices } from './constant-channels';
import { compressedEnd, compressedPartitions, denseEnd } from './partitions';
import { isMonolithic, lagIn } from './schema';

/**
 * A block is compressed after it has attended, which is the same as before the next one does: `select` brings the layer up to
 * what was read so far.
 */
export function startOfficial(context: MethodContext, parameters: Parameters): MethodRun {
  const layers = new Map<number, CompressedLayer>();
  let marked = new Map<CompressedLayer, number>();
  const { totalTokens, promptEnd, evictAt } = context;
  const dense = isMonolithic(parameters) ? denseEnd(totalTokens, promptEnd, evictAt) : 0;
  return {
    select(input) {
      const lag = lagIn(parameters, input.layer);
      const partitions = compressedPartitions(input.block.start, lag);
      if (partitions === 0 || input.block.start < dense) return keepEverything(input.block.start);
      const layer = layers.get(input.layer) ?? new CompressedLayer(context, lag);
      layers.set(input.layer, layer);
      layer.update(input, totalTokens);
      const heads = input.key.heads;
      const list = layer.kept(heads);
      const end = compressedEnd(partitions, lag);
      const isCut = lag.keptOfPartition > 0 && lag.keptOfPartition < lag.lagTokens;
      return {
        list: list.count > 0 ? list : null,
        rangeStart: end,
        candidates: { start: lag.sinkTokens, end },
        score: { rows: layer.scoreRows(), scoreStart: lag.sinkTokens },
        segmentTokens: lag.lagTokens,
        tiedAtCut: isCut ? layer.tiedAtCut(heads) : null,
        owned: [],
      };
    },
    ...positionsByChoice.attend(context, parameters),
    lateNotices: () => constantChannelNotices([...layers.values()]),
    mark() {
      marked = new Map([...layers.values()].map((layer) => [layer, layer.length]));
    },
    rewind() {
      for (const layer of layers.values()) layer.shorten(marked.get(layer) ?? 0);
    },
    dispose() {
      for (const layer of layers.values()) layer.release();
      layers.clear();
    },
  };
}
