import { floatsOf, integersOf } from '../../cpu/buffer';
import { PANEL_ROWS } from '../../cpu/panel';
import { type HeadProbabilities, probabilitiesOfHead } from '../../cpu/probabilities';
import { fail } from '../../validate';
import { checkMassByGroup, type MassByGroupArguments } from './op';

export function massByGroup(a: MassByGroupArguments, ofHead = probabilitiesOfHead): void {
  checkMassByGroup(a);
  const { query, key, groupings, sets, groups, byRow = false } = a;
  const out = floatsOf(a.out);
  const groupOf = integersOf(a.groupOf);
  const groupRows = byRow ? query.rows : 1;
  for (let i = 0; i < groupings * sets * groupRows * key.rows; i++) {
    if (groupOf[i]! >= groups)
      fail('massByGroup', `groupOf holds ${groupOf[i]!}, but there are ${groups} groups`);
  }
  const mass = new Float64Array(LANES * groups);
  for (let head = 0; head < query.heads; head++) {
    const set = Math.floor((head * sets) / query.heads);
    const probabilities = ofHead(a, head);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      probabilities.load(row, rows);
      for (let r = 0; r < rows; r++) {
        for (let grouping = 0; grouping < groupings; grouping++) {
          const groupRow = (grouping * sets + set) * groupRows + (byRow ? row + r : 0);
          const groupStart = groupRow * key.rows;
          const outStart = ((grouping * query.heads + head) * query.rows + row + r) * groups;
          const count = probabilities.limits[r]!;
          addByGroup(
            probabilities.values,
            r * probabilities.stride,
            count,
            groupOf,
            groupStart,
            mass,
            out,
            outStart,
          );
        }
      }
    }
  }
}

/** Partial sums of a group. */
const LANES = 4;

/** out[outStart + c] = Σ of the probabilities whose key has group c; `mass` has room for LANES sums of each. */
function addByGroup(
  panel: HeadProbabilities['values'],
  start: number,
  count: number,
  groupOf: Uint32Array,
  groupStart: number,
  mass: Float64Array,
  out: Float32Array,
  outStart: number,
): void {
  const groups = mass.length / LANES;
  mass.fill(0);
  // Neighbours are often of one group: additions to four partial sums do not wait for one another.
  const whole = count - (count % LANES);
  for (let t = 0; t < whole; t += LANES) {
    mass[LANES * groupOf[groupStart + t]!]! += panel[start + t]!;
    mass[LANES * groupOf[groupStart + t + 1]! + 1]! += panel[start + t + 1]!;
    mass[LANES * groupOf[groupStart + t + 2]! + 2]! += panel[start + t + 2]!;
    mass[LANES * groupOf[groupStart + t + 3]! + 3]! += panel[start + t + 3]!;
  }
  for (let t = whole; t < count; t++) mass[LANES * groupOf[groupStart + t]!]! += panel[start + t]!;
  for (let c = 0; c < groups; c++) {
    const at = LANES * c;
    out[outStart + c] = mass[at]! + mass[at + 1]! + (mass[at + 2]! + mass[at + 3]!);
  }
}
