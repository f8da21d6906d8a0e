/** Mass recall of many selections from one recomputation of the weights. */
import { sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { ignoreRejection } from '../base/ignore-rejection';
import type { LayerTrace, Trace } from '../trace/trace';
import type { Classes } from './sweep-classes';
import { layerInput, type TokenRange } from './trace-run';

/** Most class sums held at once: groupings × heads × queries × classes. */
export const MOST_SUMS = 2 ** 22;

/** Records the work; resolves with Σ over heads and the segment's queries of the mass that each point keeps: [grouping][point]. */
export async function massOfPoints(
  text: Trace,
  recorded: LayerTrace,
  segment: TokenRange,
  groupings: readonly Classes[],
  sets: number,
): Promise<number[][]> {
  const { ops, queryHeads, attentionScale: scale } = text;
  const keys = segment.end;
  const classes = Math.max(...groupings.map(({ masks }) => masks.length));
  const numbers = new Uint32Array(groupings.length * sets * keys);
  for (const [i, grouping] of groupings.entries()) {
    for (let set = 0; set < sets; set++) copyClasses(grouping, set, keys, numbers, (i * sets + set) * keys);
  }
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
      for (let i = 0; i < perGrouping; i++) perClassOf[i % classes]! += sums[place + i]!;
    });
  }
  return groupings.map(({ masks }, i) => pointSums(masks, perClass[i]!));
}

/** Most class numbers held at once: groupings × sets × queries × keys. */
const MOST_CLASS_NUMBERS = 2 ** 23;

/**
 * As massOfPoints for consecutive queries from `start` on whose points each keep keys of their own, in one pass: [query][grouping][point].
 * `classesOf`: [query][grouping]; null, in the result too, for a query that is not measured.
 */
export async function massOfRows(
  text: Trace,
  recorded: LayerTrace,
  start: number,
  classesOf: readonly (readonly Classes[] | null)[],
  sets: number,
): Promise<(number[][] | null)[]> {
  const groupings = groupingsOf(classesOf);
  const numbersOfRow = groupings * sets * (start + classesOf.length);
  const most = Math.max(1, Math.floor(MOST_CLASS_NUMBERS / numbersOfRow));
  const parts: Promise<(number[][] | null)[]>[] = [];
  for (let row = 0; row < classesOf.length; row += most) {
    const part = classesOf.slice(row, row + most);
    parts.push(ignoreRejection(massOfFewRows(text, recorded, start + row, part, sets)));
    await text.ops.pace();
  }
  return (await Promise.all(parts)).flat();
}

async function massOfFewRows(
  text: Trace,
  recorded: LayerTrace,
  start: number,
  classesOf: readonly (readonly Classes[] | null)[],
  sets: number,
): Promise<(number[][] | null)[]> {
  const { ops, queryHeads, attentionScale: scale } = text;
  const rows = classesOf.length;
  const groupings = groupingsOf(classesOf);
  if (groupings === 0) return classesOf.map(() => null);
  const keys = start + rows;
  const classes = Math.max(...classesOf.flat().map((ofRow) => ofRow?.masks.length ?? 0));
  const numbers = new Uint32Array(groupings * sets * rows * keys);
  for (const [row, ofRow] of classesOf.entries()) {
    for (const [grouping, ofGrouping] of ofRow?.entries() ?? []) {
      for (let set = 0; set < sets; set++) {
        const place = ((grouping * sets + set) * rows + row) * keys;
        copyClasses(ofGrouping, set, start + row + 1, numbers, place);
      }
    }
  }
  const scratch = new Scratch(ops);
  const classOf = scratch.upload(numbers, 'classes of keys by query');
  const part = layerInput(recorded, { start, end: keys });
  const { query, key, logSumExp } = part;
  const out = scratch.floats(groupings * queryHeads * rows * classes, 'mass by class');
  const shape = { groupings, sets, classes, byRow: true };
  ops.massByClass({ query, key, scale, logSumExp: logSumExp!, causalOffset: start, classOf, ...shape, out });
  const read = ops.readFloats(out);
  scratch.release();
  const sums = await read;
  return classesOf.map((ofRow, row) =>
    ofRow
      ? ofRow.map(({ masks }, grouping) => {
          const perClass = new Float64Array(classes);
          for (let head = 0; head < queryHeads; head++) {
            const place = ((grouping * queryHeads + head) * rows + row) * classes;
            for (let c = 0; c < classes; c++) perClass[c]! += sums[place + c]!;
          }
          return pointSums(masks, perClass);
        })
      : null,
  );
}

function groupingsOf(classesOf: readonly (readonly Classes[] | null)[]): number {
  return classesOf.find((ofRow) => ofRow !== null)?.length ?? 0;
}

/** The classes of one set's keys [0, keys), to `place` in `numbers`. */
function copyClasses(
  { classOf, keys: stride }: Classes,
  set: number,
  keys: number,
  numbers: Uint32Array,
  place: number,
): void {
  numbers.set(classOf.subarray(set * stride, set * stride + keys), place);
}

/** Σ over the classes that each point keeps. */
function pointSums(masks: readonly number[], perClass: Float64Array): number[] {
  const points = 32 - Math.clz32(masks.reduce((all, mask) => all | mask, 0));
  return Array.from({ length: points }, (_, point) =>
    masks.reduce((sum, mask, c) => (mask & (1 << point) ? sum + perClass[c]! : sum), 0),
  );
}
