/** Mass recall of many selections from one recomputation of the weights. */
import { sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { ignoreRejection } from '../base/ignore-rejection';
import type { LayerTrace, Trace } from '../trace/trace';
import type { KeyGroups } from './sweep-groups';
import { layerInput, type TokenRange } from './trace-run';

/** Most group sums held at once: groupings × heads × queries × groups. */
export const MOST_SUMS = 2 ** 22;

/** Encodes the work; resolves with Σ over heads and the segment's queries of the mass that each point keeps: [grouping][point]. */
export async function massOfPoints(
  text: Trace,
  layerTrace: LayerTrace,
  segment: TokenRange,
  groupings: readonly KeyGroups[],
  sets: number,
): Promise<number[][]> {
  const { ops, queryHeads, scores } = text;
  const keys = segment.end;
  const groups = Math.max(...groupings.map(({ masks }) => masks.length));
  const numbers = new Uint32Array(groupings.length * sets * keys);
  for (const [i, grouping] of groupings.entries()) {
    for (let set = 0; set < sets; set++) copyGroups(grouping, set, keys, numbers, (i * sets + set) * keys);
  }
  const perGroup = groupings.map(() => new Float64Array(groups));

  const scratch = new Scratch(ops);
  const groupOf = scratch.upload(numbers, 'groups of keys');
  const rowsAtOnce = Math.max(1, Math.floor(MOST_SUMS / (groupings.length * queryHeads * groups)));
  for (let start = segment.start; start < segment.end; start += rowsAtOnce) {
    const end = Math.min(segment.end, start + rowsAtOnce);
    const rows = end - start;
    const part = layerInput(layerTrace, { start, end });
    const out = ops.scratch('f32', groupings.length * queryHeads * rows * groups, 'mass by group');
    ops.massByGroup({
      query: part.query,
      key: sliceRows(layerTrace.key, 0, keys),
      ...scores,
      logSumExp: part.logSumExp!,
      causalOffset: start,
      groupOf,
      groupings: groupings.length,
      sets,
      groups,
      out,
    });
    const read = ops.readFloats(out);
    ops.release(out);
    if (end === segment.end) scratch.release();
    const sums = await read;
    const perGrouping = queryHeads * rows * groups;
    perGroup.forEach((perGroupOf, grouping) => {
      const place = grouping * perGrouping;
      for (let i = 0; i < perGrouping; i++) perGroupOf[i % groups]! += sums[place + i]!;
    });
  }
  return groupings.map(({ masks }, i) => pointSums(masks, perGroup[i]!));
}

/** Most group numbers held at once: groupings × sets × queries × keys. */
const MOST_CLASS_NUMBERS = 2 ** 23;

/**
 * As massOfPoints for consecutive queries from `start` on whose points each keep keys of their own, in one pass: [query][grouping][point].
 * `keyGroupsOf`: [query][grouping]; null, in the result too, for a query that is not measured.
 */
export async function massOfRows(
  text: Trace,
  layerTrace: LayerTrace,
  start: number,
  keyGroupsOf: readonly (readonly KeyGroups[] | null)[],
  sets: number,
): Promise<(number[][] | null)[]> {
  const groupings = groupingsOf(keyGroupsOf);
  const numbersOfRow = groupings * sets * (start + keyGroupsOf.length);
  const most = Math.max(1, Math.floor(MOST_CLASS_NUMBERS / numbersOfRow));
  const parts: Promise<(number[][] | null)[]>[] = [];
  for (let row = 0; row < keyGroupsOf.length; row += most) {
    const part = keyGroupsOf.slice(row, row + most);
    parts.push(ignoreRejection(massOfFewRows(text, layerTrace, start + row, part, sets)));
    await text.ops.pace();
  }
  return (await Promise.all(parts)).flat();
}

async function massOfFewRows(
  text: Trace,
  layerTrace: LayerTrace,
  start: number,
  keyGroupsOf: readonly (readonly KeyGroups[] | null)[],
  sets: number,
): Promise<(number[][] | null)[]> {
  const { ops, queryHeads, scores } = text;
  const rows = keyGroupsOf.length;
  const groupings = groupingsOf(keyGroupsOf);
  if (groupings === 0) return keyGroupsOf.map(() => null);
  const keys = start + rows;
  const groups = Math.max(...keyGroupsOf.flat().map((ofRow) => ofRow?.masks.length ?? 0));
  const numbers = new Uint32Array(groupings * sets * rows * keys);
  for (const [row, ofRow] of keyGroupsOf.entries()) {
    for (const [grouping, ofGrouping] of ofRow?.entries() ?? []) {
      for (let set = 0; set < sets; set++) {
        const place = ((grouping * sets + set) * rows + row) * keys;
        copyGroups(ofGrouping, set, start + row + 1, numbers, place);
      }
    }
  }
  const scratch = new Scratch(ops);
  const groupOf = scratch.upload(numbers, 'groups of keys by query');
  const part = layerInput(layerTrace, { start, end: keys });
  const { query, key, logSumExp } = part;
  const out = scratch.floats(groupings * queryHeads * rows * groups, 'mass by group');
  const shape = { groupings, sets, groups, byRow: true };
  ops.massByGroup({
    query,
    key,
    ...scores,
    logSumExp: logSumExp!,
    causalOffset: start,
    groupOf,
    ...shape,
    out,
  });
  const read = ops.readFloats(out);
  scratch.release();
  const sums = await read;
  return keyGroupsOf.map((ofRow, row) =>
    ofRow
      ? ofRow.map(({ masks }, grouping) => {
          const perGroup = new Float64Array(groups);
          for (let head = 0; head < queryHeads; head++) {
            const place = ((grouping * queryHeads + head) * rows + row) * groups;
            for (let c = 0; c < groups; c++) perGroup[c]! += sums[place + c]!;
          }
          return pointSums(masks, perGroup);
        })
      : null,
  );
}

function groupingsOf(keyGroupsOf: readonly (readonly KeyGroups[] | null)[]): number {
  return keyGroupsOf.find((ofRow) => ofRow !== null)?.length ?? 0;
}

/** The groups of one set's keys [0, keys), to `place` in `numbers`. */
function copyGroups(
  { groupOf, keys: stride }: KeyGroups,
  set: number,
  keys: number,
  numbers: Uint32Array,
  place: number,
): void {
  numbers.set(groupOf.subarray(set * stride, set * stride + keys), place);
}

/** Σ over the groups that each point keeps. */
function pointSums(masks: readonly number[], perGroup: Float64Array): number[] {
  const points = 32 - Math.clz32(masks.reduce((all, mask) => all | mask, 0));
  return Array.from({ length: points }, (_, point) =>
    masks.reduce((sum, mask, c) => (mask & (1 << point) ? sum + perGroup[c]! : sum), 0),
  );
}
