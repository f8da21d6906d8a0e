import { floatsOf, integersOf } from '../../cpu/buffer';
import { PANEL_ROWS } from '../../cpu/panel';
import { type HeadProbabilities, probabilitiesOfHead } from '../../cpu/probabilities';
import { fail } from '../../validate';
import { checkMassByClass, type MassByClassArguments } from './op';

export function massByClass(a: MassByClassArguments, ofHead = probabilitiesOfHead): void {
  checkMassByClass(a);
  const { query, key, groupings, sets, classes, byRow = false } = a;
  const out = floatsOf(a.out);
  const classOf = integersOf(a.classOf);
  const classRows = byRow ? query.rows : 1;
  for (let i = 0; i < groupings * sets * classRows * key.rows; i++) {
    if (classOf[i]! >= classes)
      fail('massByClass', `classOf holds ${classOf[i]!}, but there are ${classes} classes`);
  }
  const mass = new Float64Array(LANES * classes);
  for (let head = 0; head < query.heads; head++) {
    const set = Math.floor((head * sets) / query.heads);
    const probabilities = ofHead(a, head);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      probabilities.load(row, rows);
      for (let r = 0; r < rows; r++) {
        for (let grouping = 0; grouping < groupings; grouping++) {
          const classRow = (grouping * sets + set) * classRows + (byRow ? row + r : 0);
          const classStart = classRow * key.rows;
          const outStart = ((grouping * query.heads + head) * query.rows + row + r) * classes;
          const count = probabilities.limits[r]!;
          addByClass(
            probabilities.values,
            r * probabilities.stride,
            count,
            classOf,
            classStart,
            mass,
            out,
            outStart,
          );
        }
      }
    }
  }
}

/** Partial sums of a class. */
const LANES = 4;

/** out[outStart + c] = Σ of the probabilities whose key has class c; `mass` has room for LANES sums of each. */
function addByClass(
  panel: HeadProbabilities['values'],
  start: number,
  count: number,
  classOf: Uint32Array,
  classStart: number,
  mass: Float64Array,
  out: Float32Array,
  outStart: number,
): void {
  const classes = mass.length / LANES;
  mass.fill(0);
  // Neighbours are often of one class: additions to four partial sums do not wait for one another.
  const whole = count - (count % LANES);
  for (let t = 0; t < whole; t += LANES) {
    mass[LANES * classOf[classStart + t]!]! += panel[start + t]!;
    mass[LANES * classOf[classStart + t + 1]! + 1]! += panel[start + t + 1]!;
    mass[LANES * classOf[classStart + t + 2]! + 2]! += panel[start + t + 2]!;
    mass[LANES * classOf[classStart + t + 3]! + 3]! += panel[start + t + 3]!;
  }
  for (let t = whole; t < count; t++) mass[LANES * classOf[classStart + t]!]! += panel[start + t]!;
  for (let c = 0; c < classes; c++) {
    const at = LANES * c;
    out[outStart + c] = mass[at]! + mass[at + 1]! + (mass[at + 2]! + mass[at + 3]!);
  }
}
