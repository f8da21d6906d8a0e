/** FreqKV's run: the cache is compressed before the block that finds it full, as forward_iterate_flashattn does. */
import { matrixRows, type Rows } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import { keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun } from '../method';
import type { Parameters } from '../parameters';
import { inCache } from '../positions';
import { compressionMatrix } from './compression-matrix';
import { MixedLayer } from './mixed-layer';
import { type Cache, cacheIn, compressions, firstUnmixed } from './schema';

export function startFreqkv(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops } = context;
  const layers = new Map<number, MixedLayer>();
  const matrices = new Map<string, Rows>();

  const matrixOf = ({ spanRows, mixedRows }: Cache): Rows | null => {
    if (mixedRows === 0) return null;
    const name = `${spanRows}/${mixedRows}`;
    const matrix =
      matrices.get(name) ??
      matrixRows(ops.upload(compressionMatrix(spanRows, mixedRows), 'mixing matrix'), mixedRows, spanRows);
    matrices.set(name, matrix);
    return matrix;
  };

  return {
    select({ layer, block, keyUnrotated, value }: LayerInput) {
      const cache = cacheIn(parameters, layer);
      const times = compressions(block.start, cache);
      if (times === 0) return keepEverything(block.start);
      if (!keyUnrotated) {
        throw new UserError('freqkv needs keys before rotation, which this capture lacks.');
      }
      const mixed = layers.get(layer) ?? new MixedLayer(ops, cache);
      layers.set(layer, mixed);
      mixed.compress(times, keyUnrotated, value, matrixOf(cache));
      const made = mixed.copy();
      const { sinkTokens } = cache;
      const tokens = Uint32Array.from({ length: sinkTokens }, (_, token) => token);
      const sinks = sinkTokens > 0 ? ops.upload(tokens, 'sinks') : null;
      return {
        list: sinks && { buffer: sinks, offset: 0, sets: 1, count: sinkTokens, rowStride: sinkTokens },
        ...(made && { made }),
        rangeStart: firstUnmixed(times, cache),
        candidates: { start: sinkTokens, end: sinkTokens },
        score: null,
        tiedAtCut: null,
        decidedBy: 'place',
        owned: [...(sinks ? [sinks] : []), ...(made ? [made.key.buffer, made.value.buffer] : [])],
      };
    },
    ...inCache.attend(context, parameters),
    mark() {
      for (const layer of layers.values()) layer.mark();
    },
    rewind() {
      for (const layer of layers.values()) layer.rewind();
    },
    dispose() {
      for (const layer of layers.values()) layer.release();
      for (const { buffer } of matrices.values()) ops.release(buffer);
      layers.clear();
      matrices.clear();
    },
  };
}
