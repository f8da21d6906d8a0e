/**
 * A trace as a run sees it that projects keys and values by maps of its own: queries are full attention's, keys and values are made
 * anew from the hidden states that were recorded.
 */
import { type Rows, tokenMajorRows } from '../../gpu/rows';
import type { ScoreMemo } from '../methods/method';
import { inBuffers } from '../methods/remember';
import type { KeyValueMaps } from '../model/decoder/project';
import type { LayerTrace, Trace } from '../trace/trace';

/** `name`: what the maps depend on. The rows are the memo's. */
export function madeAnew(
  text: Trace,
  layerTrace: LayerTrace,
  maps: KeyValueMaps,
  memo: ScoreMemo,
  name: string,
): LayerTrace {
  const { ops, projection, keyValueHeads, headDimension } = text;
  const { layer, hidden } = layerTrace;
  if (!projection || !hidden) throw new Error(`layer ${layer} was recorded without what it projects from`);
  const { key, keyUnrotated, value } = memo.get(`made-anew/${name}/${layer}`, () => {
    const rows = (label: string): Rows => {
      const buffer = ops.allocate('f32', hidden.rows * keyValueHeads * headDimension, label);
      return tokenMajorRows(buffer, keyValueHeads, hidden.rows, headDimension);
    };
    const made = { keyUnrotated: rows('keys made anew'), value: rows('values made anew') };
    projection.project(layer, maps, hidden, made);
    const buffers = [made.keyUnrotated.buffer, made.value.buffer];
    const rotation = text.rotationOf(layer);
    if (!rotation) return inBuffers(ops, buffers, { ...made, key: made.keyUnrotated });
    const key = rows('rotated keys made anew');
    const positions = { start: 0, step: 1 } as const;
    ops.rotate({ input: made.keyUnrotated, table: rotation, positions, out: key });
    return inBuffers(ops, [...buffers, key.buffer], { ...made, key });
  });
  // Queries are made when they are read, so their getter has to stay one.
  return {
    get query() {
      return layerTrace.query;
    },
    ...{ layer, hidden, key, keyUnrotated, value },
    ...{ queryUnrotated: layerTrace.queryUnrotated, logSumExp: layerTrace.logSumExp },
  };
}
