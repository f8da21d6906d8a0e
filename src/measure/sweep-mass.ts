/** Mass recall of many selections from one recomputation of the weights. */
import { sliceRows } from '../../gpu/rows';
import type { RecordedLayer, RecordedText } from '../study/recorded';
import { layerInput, type TokenRange } from './probe-run';
import { Scratch } from './scratch';
import type { Classes } from './sweep-classes';

/** Most class sums held at once: groupings × heads × queries × classes. */
export const MOST_SUMS = 2 ** 22;

/** Records the work; resolves with Σ over heads and the segment's queries of the mass that each point keeps: [grouping][point]. */
export async function massOfPoints(
  text: RecordedText,
  recorded: RecordedLayer,
  segment: TokenRange,
  groupings: readonly Classes[],
  sets: number,
): Promise<number[][]> {
  const { ops, queryHeads, attentionScale: scale } = text;
  const keys = segment.end;
  const classes = Math.max(...groupings.map(({ masks }) => masks.length));
  const numbers = new Uint32Array(groupings.length * sets * keys);
  for (const [i, { classOf }] of groupings.entries()) numbers.set(classOf, i * sets * keys);
  const perClass = groupings.map(() => new Float64Array(classes));

  const scratch = new Scratch(ops);
  const classOf = scratch.upload(numbers, 'classes of keys');
  const rowsAtOnce = Math.max(1, Math.floor(MOST_SUMS / (groupings.length * queryHeads * classes)));
  for (let start = segment.start; start < segment.end; start += rowsAtOnce) {
    const end = Math.min(segment.end, start + rowsAtOnce);
    const rows = end - start;
    const part = layerInput(recorded, { start, end });
    const out = ops.scratch('f32', groupings.length * queryHeads * rows * classes, 'mass by class');
    ops.massByClass({
      query: part.query,
      key: sliceRows(recorded.key, 0, keys),
      scale,
      logSumExp: part.logSumExp!,
      causalOffset: start,
      classOf,
      groupings: groupings.length,
      sets,
      classes,
      out,
    });
    const read = ops.readFloats(out);
    ops.release(out);
    if (end === segment.end) scratch.release();
    const sums = await read;
    const perGrouping = queryHeads * rows * classes;
    perClass.forEach((perClassOf, grouping) => {
      const place = grouping * perGrouping;
      for (let i = 0; i < perGrouping; i++) perClassOf[i % classes] += sums[place + i];
    });
  }
  return groupings.map(({ masks }, i) => pointSums(masks, perClass[i]));
}

/** Σ over the classes that each point keeps. */
function pointSums(masks: readonly number[], perClass: Float64Array): number[] {
  const points = 32 - Math.clz32(masks.reduce((all, mask) => all | mask, 0));
  return Array.from({ length: points }, (_, point) =>
    masks.reduce((sum, mask, c) => (mask & (1 << point) ? sum + perClass[c] : sum), 0),
  );
}
