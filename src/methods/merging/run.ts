/** A run of merging: what stays is chosen as another method chooses it, and values are folded before anything is selected. */
import type { IndexList, Ops } from '../../../gpu/ops';
import { headMajorRows, matrixRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import type { LayerTrace } from '../../trace/trace';
import { atEviction } from '../at-eviction';
import { keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun, Selection } from '../method';
import { rememberedLater } from '../remember';
import { withLength } from '../scorers/rows';
import { denseScores } from '../units';
import { type FoldingRule, folded } from './fold';

/** Evicted tokens that are compared with all survivors at once. */
export const ROWS_AT_ONCE = 256;

interface Merged {
  readonly trace: LayerTrace;
  /** Values of the survivors, [G, kept, d]. */
  readonly value: Rows;
}

export interface MergingRules {
  /** Names what a layer's folding depends on beside the text. */
  nameOf(layer: number): string;
  ruleOf(layer: number): FoldingRule;
  /** Whether the layer drops anything. */
  isCut(layer: number): boolean;
}

/** Values of the survivors that `list` names, [G, kept, d]; `key` and `value` are those of all tokens before the eviction. */
export async function foldedValues(
  ops: Ops,
  { key, value }: Pick<LayerInput, 'key' | 'value'>,
  list: IndexList,
  rule: FoldingRule,
): Promise<Float32Array> {
  const { sets, count } = list;
  const { rows: tokens, channels: d } = key;
  const scratch = new Scratch(ops);
  const directions = withLength(scratch, key, 1, 'directions of keys');
  const kept = scratch.rows(sets, count, d, 'directions of keys that stay');
  ops.gatherListed({ input: directions, list, out: kept });
  const nearest = scratch.integers(sets * tokens, 'nearest survivors');
  const cosines = scratch.floats(sets * tokens, 'cosines with these');
  const products = scratch.floats(ROWS_AT_ONCE * count, 'cosines with all survivors');
  const headOf = (rows: Rows, head: number): Rows => ({
    ...rows,
    ...{ heads: 1, offset: rows.offset + head * rows.headStride },
  });
  for (let head = 0; head < sets; head++) {
    for (let start = 0; start < tokens; start += ROWS_AT_ONCE) {
      const rows = Math.min(ROWS_AT_ONCE, tokens - start);
      const out = matrixRows(products, rows, count);
      const offset = head * tokens + start;
      const input = headOf(sliceRows(directions, start, rows), head);
      ops.matmul({ input, weight: headOf(kept, head), out });
      ops.argmax({ input: out, out: nearest, outOffset: offset });
      ops.segmentReduce({
        ...{ kind: 'max', input: denseScores(products, rows, count), segmentLength: count },
        out: { ...denseScores(cosines, rows, 1), offset },
      });
    }
  }
  const values = scratch.rows(sets, tokens, d, 'values');
  ops.copyRows({ input: value, out: values });
  const [listed, places, likeness, numbers] = await Promise.all([
    ops.readIntegers(list.buffer, list.offset, sets * count),
    ops.readIntegers(nearest),
    ops.readFloats(cosines),
    ops.readFloats(values.buffer),
  ]);
  scratch.release();
  const all = new Float32Array(sets * count * d);
  for (let set = 0; set < sets; set++) {
    const head = {
      kept: listed.subarray(set * count, (set + 1) * count),
      nearest: places.subarray(set * tokens, (set + 1) * tokens),
      cosines: likeness.subarray(set * tokens, (set + 1) * tokens),
      values: numbers.subarray(set * tokens * d, (set + 1) * tokens * d),
    };
    all.set(folded(head, rule), set * count * d);
  }
  return all;
}

/** `choosing` is the run of the method that chooses; it is asked at the eviction alone. */
export function startMerging(
  context: MethodContext,
  choosing: MethodRun,
  { nameOf, ruleOf, isCut }: MergingRules,
): MethodRun {
  const { ops, evictAt, memo, layers, scores, headDimension: d } = context;
  const merged = new Map<number, Merged>();
  const chosenIn = (trace: LayerTrace): Selection => choosing.select(atEviction(trace, evictAt));

  async function foldedIn(trace: LayerTrace): Promise<Float32Array> {
    const { list, score } = chosenIn(trace);
    const { buffer, offset, rows, rowStride } = score!.rows;
    const scores = await ops.readFloats(buffer, offset, rows * rowStride);
    if (!scores.every(Number.isFinite)) {
      throw new UserError(
        `merging: in layer ${trace.layer} the scores of keys are not finite: numbers there are too large for 32 bits; nothing is selected by them.`,
      );
    }
    return foldedValues(ops, atEviction(trace, evictAt), list!, ruleOf(trace.layer));
  }

  async function merge(trace: LayerTrace, signal?: AbortSignal): Promise<void> {
    const name = `merging/${nameOf(trace.layer)}/${trace.layer}/${evictAt}`;
    const bytes = 4 * context.keyValueHeads * evictAt * d;
    const values = await rememberedLater(memo, name, bytes, () => foldedIn(trace), signal);
    const { list } = chosenIn(trace);
    const { sets, count } = list!;
    const value = headMajorRows(ops.upload(values, 'merged values'), sets, count, d);
    merged.set(trace.layer, { trace, value });
  }

  return {
    notices: choosing.notices ?? [],
    async prepare(layerTraces, signal) {
      if (!Array.from({ length: layers }, (_, layer) => layer).some(isCut)) return;
      if (!layerTraces) {
        throw new UserError(
          'merging needs keys and values of a text that was read with full attention, before it drops any; there is none.',
        );
      }
      for (const trace of layerTraces.filter(({ layer }) => isCut(layer))) await merge(trace, signal);
    },
    select({ layer, block }) {
      const own = block.start >= evictAt ? merged.get(layer) : undefined;
      return own ? chosenIn(own.trace) : keepEverything(Math.min(block.start, evictAt));
    },
    attend({ layer, block, query, key, value }, { list }, out, logSumExp) {
      const own = block.start >= evictAt ? merged.get(layer) : undefined;
      const attend = (keys: Rows, values: Rows, to: { out: Rows; logSumExp: typeof logSumExp }): void => {
        const range = { start: 0, end: keys.rows, causal: values !== own?.value };
        ops.attention({ query, key: keys, value: values, ...scores, visible: { range }, ...to });
      };
      if (!own) {
        attend(key, value, { out, logSumExp });
        return;
      }
      const scratch = new Scratch(ops);
      // Values have places of their own, and so need the keys.
      const kept = scratch.rows(own.value.heads, own.value.rows, own.value.channels, 'keys that stay');
      ops.gatherListed({ input: sliceRows(key, 0, evictAt), list: list!, out: kept });
      attend(kept, own.value, { out, logSumExp });
      const later = {
        out: scratch.rows(query.heads, query.rows, query.channels, 'output over later keys'),
        logSumExp: scratch.scalars(query.heads, query.rows, 'log-sum-exp of later keys'),
      };
      const rows = key.rows - evictAt;
      attend(sliceRows(key, evictAt, rows), sliceRows(value, evictAt, rows), later);
      ops.mergeAttention({ into: { out, logSumExp }, from: later });
      scratch.release();
    },
    // What stays is of the text before the eviction, whatever was read since.
    mark() {},
    rewind() {},
    dispose() {
      for (const { value } of merged.values()) ops.release(value.buffer);
      merged.clear();
      choosing.dispose();
    },
  };
}
