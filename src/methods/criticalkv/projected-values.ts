/**
 * How much a token's value can change a layer's output: ν[g,t] = mean over the query heads h of g of ‖W_O^(h) V[g,t]‖₁ (CriticalKV,
 * arXiv 2502.03805; kvpress criticalkv_press.py, vwl1norm). Without W_O the norm of the value itself.
 */
import type { ScoreRows } from '../../../gpu/ops';
import { headMajorRows, type Rows, sliceHeads, sliceRows } from '../../../gpu/rows';
import type { Scratch } from '../../../gpu/scratch';
import { asColumn } from '../scorers/rows';
import { denseScores } from '../units';

/** Products that are held at once: rows are taken in pieces. */
export const MOST_PRODUCTS = 2 ** 21;

/** Dense [G, n] of value [G, n, d]; `weight` [D, H·d], null: none. H query heads. */
export function projectedNorms(
  scratch: Scratch,
  value: Rows,
  weight: Rows | null,
  queryHeads: number,
  out: ScoreRows,
): void {
  const { ops } = scratch;
  const { heads: G, rows: n, channels: d } = value;
  const perGroup = weight ? queryHeads / G : 1;
  const outputs = weight ? weight.rows : d;
  // Every row of the map beside its opposite: of both products the larger is the absolute value.
  const both = scratch.floats(outputs * 2 * d, 'output projection of a head and its opposite');
  const map = headMajorRows(both, 1, 2 * outputs, d);
  const every = (offset: number): Rows => ({ ...map, offset, rows: outputs, rowStride: 2 * d });
  const identity = weight ? null : unit(scratch, d);
  const piece = Math.max(1, Math.min(n, Math.floor(MOST_PRODUCTS / (2 * outputs))));
  const products = scratch.rows(1, piece, 2 * outputs, 'values projected');
  const magnitudes = scratch.floats(piece * outputs, 'values projected, absolute');
  const norms = scratch.floats(n, 'norms of projected values');
  for (let head = 0; head < G * perGroup; head++) {
    const own = identity ?? { ...weight!, offset: weight!.offset + head * d, channels: d };
    ops.sumHeads({ input: own, out: every(0) });
    ops.sumHeads({ input: own, out: every(d), factor: -1 });
    const group = Math.floor(head / perGroup);
    for (let start = 0; start < n; start += piece) {
      const rows = Math.min(piece, n - start);
      const input = sliceRows(sliceHeads(value, group, 1), start, rows);
      ops.matmul({ input, weight: map, out: sliceRows(products, 0, rows) });
      const absolute = denseScores(magnitudes, 1, rows * outputs);
      ops.segmentReduce({
        ...{ kind: 'max', segmentLength: 2, out: absolute },
        input: denseScores(products.buffer, 1, 2 * rows * outputs),
      });
      ops.segmentReduce({
        ...{ kind: 'sum', segmentLength: outputs, input: absolute },
        out: { ...denseScores(norms, 1, rows), offset: start },
      });
    }
    const of = asColumn({ ...out, offset: out.offset + group * out.rowStride, rows: 1 });
    ops.sumHeads({
      ...{ input: headMajorRows(norms, 1, n, 1), out: of, factor: 1 / perGroup },
      accumulate: head % perGroup > 0,
    });
  }
}

function unit(scratch: Scratch, size: number): Rows {
  const data = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  return headMajorRows(scratch.upload(data, 'unit matrix'), 1, size, size);
}
