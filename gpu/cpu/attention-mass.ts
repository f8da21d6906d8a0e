/** Where attention goes: per key, per class of key, and every weight. */
import type { Arguments } from '../validate';
import { checkAttentionColumnSums, checkAttentionWeights, checkMassByClass, fail } from '../validate';
import { CpuBuffer, floatsOf, integersOf } from './buffer';
import { PANEL_ROWS } from './panel';
import { type HeadWeights, type WeightInputs, weighHead } from './weights';

export function attentionColumnSums(a: Arguments<'attentionColumnSums'>, weigh = weighHead): void {
  checkAttentionColumnSums(a);
  const { key, out } = a;
  const inputs = headsAsRows(a);
  const { query } = inputs;
  const outData = floatsOf(out.buffer);
  const perGroup = key.heads === 0 ? 0 : query.heads / key.heads;
  for (let group = 0; group < key.heads; group++) {
    const sums = new Float64Array(key.rows);
    for (let head = group * perGroup; head < (group + 1) * perGroup; head++) {
      const weights = weigh(inputs, head);
      for (let row = 0; row < query.rows; row += PANEL_ROWS) {
        const rows = Math.min(PANEL_ROWS, query.rows - row);
        weights.load(row, rows);
        for (let r = 0; r < rows; r++) addTo(sums, weights.values, r * weights.stride, weights.limits[r]!);
      }
    }
    outData.set(sums, out.offset + group * out.rowStride);
  }
}

/** One query that sees every key: the heads of a group, which share their keys, are as good as rows of one head. */
function headsAsRows(a: WeightInputs): WeightInputs {
  const { query, key, logSumExp, causalOffset } = a;
  if (query.rows !== 1 || key.heads === 0 || causalOffset + 1 < key.rows) return a;
  const rows = query.heads / key.heads;
  const buffer = new CpuBuffer('f32', query.heads, 'log-sum-exp of heads');
  const [from, to] = [floatsOf(logSumExp.buffer), floatsOf(buffer)];
  for (let head = 0; head < query.heads; head++)
    to[head] = from[logSumExp.offset + head * logSumExp.headStride]!;
  return {
    ...a,
    query: {
      ...{ ...query, heads: key.heads, rows },
      ...{ headStride: rows * query.headStride, rowStride: query.headStride },
    },
    logSumExp: { buffer, offset: 0, headStride: rows },
  };
}

function addTo(sums: Float64Array, panel: HeadWeights['values'], start: number, count: number): void {
  for (let t = 0; t < count; t++) sums[t]! += panel[start + t]!;
}

export function attentionWeights(a: Arguments<'attentionWeights'>, weigh = weighHead): void {
  checkAttentionWeights(a);
  const { query, key } = a;
  const out = floatsOf(a.out);
  for (let head = 0; head < query.heads; head++) {
    const weights = weigh(a, head);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      weights.load(row, rows);
      for (let r = 0; r < rows; r++) {
        const start = (head * query.rows + row + r) * key.rows;
        const limit = weights.limits[r]!;
        out.set(weights.values.subarray(r * weights.stride, r * weights.stride + limit), start);
        out.fill(0, start + limit, start + key.rows);
      }
    }
  }
}

export function massByClass(a: Arguments<'massByClass'>, weigh = weighHead): void {
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
    const weights = weigh(a, head);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      weights.load(row, rows);
      for (let r = 0; r < rows; r++) {
        for (let grouping = 0; grouping < groupings; grouping++) {
          const classRow = (grouping * sets + set) * classRows + (byRow ? row + r : 0);
          const classStart = classRow * key.rows;
          const outStart = ((grouping * query.heads + head) * query.rows + row + r) * classes;
          const count = weights.limits[r]!;
          addByClass(weights.values, r * weights.stride, count, classOf, classStart, mass, out, outStart);
        }
      }
    }
  }
}

/** Partial sums of a class. */
const LANES = 4;

/** out[outStart + c] = Σ of the weights whose key has class c; `mass` has room for LANES sums of each. */
function addByClass(
  panel: HeadWeights['values'],
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
