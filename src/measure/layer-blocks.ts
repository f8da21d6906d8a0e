/** Recall and output error of consecutive queries of one block. */
import type { RowScalars, VisibleKeys } from '../../gpu/ops';
import { headMajorRows, joinHeads, matrixRows, type Rows, tokenMajorRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { ignoreRejection } from '../base/ignore-rejection';
import type { LayerInput, MethodRun, Remembered, ScoreMemo, Selection, Traits } from '../methods/method';
import type { Trace } from '../trace/trace';
import { addSquares, type LayerSums } from './layer-sums';
import type { KeptKeys } from './selection-reader';
import { type TopKOfHead, topKRecall } from './top-k-recall';

export interface Attended {
  readonly out: Rows;
  readonly logSumExp: RowScalars;
}

/** What a measurement read back and a later one may need again. */
export class Numbers<T> implements Remembered {
  readonly bytes: number;
  readonly values: Promise<T>;

  constructor(count: number, values: Promise<T>) {
    this.bytes = 4 * count;
    this.values = ignoreRejection(values);
  }

  release(): void {}
}

/** A method whose queries are measured. */
export interface MeasuredRun {
  readonly methodId: string;
  readonly run: MethodRun;
  /** Whether the rows of its cache are tokens: otherwise there is no recall, and no output but the run's own. */
  readonly cache: Traits['cache'];
  readonly positions: Traits['positions'];
  /** The same queries as the run itself sees them, where keys and values are its own; null: as full attention does. */
  readonly asRun: ((part: LayerInput) => LayerInput) | null;
  /** Holds full attention's part of the measurements; null where that would take too much. */
  readonly memo: ScoreMemo | null;
}

/** Encodes the measurement of the queries of `part`; resolves with what adds them to the sums, in whichever order is wanted. */
export async function measurePart(
  text: Trace,
  measured: MeasuredRun,
  part: LayerInput,
  selection: Selection,
  kept: KeptKeys,
): Promise<(sums: LayerSums) => void> {
  const { ops, scores } = text;
  const { query, key, logSumExp } = part;
  const { heads, rows, channels } = query;
  if (!logSumExp) throw new Error('a probe run needs full attention’s log-sum-exp');
  const scratch = new Scratch(ops);
  const { list, rangeStart } = selection;
  const end = part.block.end;
  // What the model's positions give, then what the method's own do: both are read at once. Rows that are no tokens have no others.
  const spaces = twoSpaces(scratch, query);
  const model = spaces.at(0);
  const visible = { ...(list ? { list } : {}), range: { start: rangeStart, end, causal: true } };
  const isCounted = measured.cache === 'tokens';
  const seen = measured.asRun?.(part) ?? part;
  if (!isCounted && measured.run.attend) measured.run.attend(seen, selection, model.out, model.logSumExp);
  else ops.attention({ query, key: seen.key, value: seen.value, ...scores, visible, ...model });
  const own = !isCounted ? null : attendOwn(scratch, measured, part, selection, spaces.at(1));
  const parts = own ? 2 : 1;
  const reads = Promise.all([
    fullAttention(text, measured, part),
    ops.readFloats(spaces.out, 0, parts * heads * rows * channels),
    ops.readFloats(spaces.lambda, 0, parts * heads * rows),
    own?.lambdaOfAll,
    isCounted ? topKRecall(ops, { query, key, logSumExp, ...scores }, kept) : null,
    projected(scratch, text, part.layer, model.out),
  ]);
  scratch.release();
  const [full, out, lambda, ownLambdaOfAll, recalls, afterProjection] = await reads;
  const [modelOut, ownOut] = [out, own ? out.subarray(heads * rows * channels) : null];
  const [modelLambda, ownLambda] = [lambda, lambda.subarray(heads * rows)];

  return adder(query, full, logSumExp.headStride, {
    model: { out: modelOut, lambda: modelLambda, projected: afterProjection },
    own: own && { out: ownOut!, lambda: ownLambda, ofAll: ownLambdaOfAll ?? null },
    isAtModel: measured.positions === 'model',
    recalls,
  });
}

/** Output [H, n, d], log-sum-exp by head and query, and the output of all heads after W_O, [n, D] (null: a text without it). */
interface FullNumbers {
  readonly out: Float32Array;
  readonly lambda: Float32Array;
  readonly projected: Float32Array | null;
}

/** What attention gave over the keys that were kept, λ as [H, n]; recall by head and query. */
interface KeptNumbers {
  readonly model: FullNumbers;
  /** Under the method's own positions; `ofAll`: log-sum-exp over all keys, null where there is none. */
  readonly own: {
    readonly out: Float32Array;
    readonly lambda: Float32Array;
    readonly ofAll: Float32Array | null;
  } | null;
  /** Whether the run attends at the model's positions: its recall is then the model's. */
  readonly isAtModel: boolean;
  /** Null: recall by tokens means nothing. */
  readonly recalls: readonly (TopKOfHead | null)[] | null;
}

/** Adds the queries of [H, n, d] to the sums of their layer. `full`: as `fullAttention` gives it. */
export function adder(
  { heads, rows, channels }: Rows,
  full: FullNumbers,
  headStride: number,
  { model, own, isAtModel, recalls }: KeptNumbers,
): (sums: LayerSums) => void {
  const size = rows * channels;
  return (sums) => {
    for (let head = 0; head < heads; head++) {
      const of = sums.heads[head];
      for (let row = 0; recalls && row < rows; row++) {
        const i = head * rows + row;
        const massRecall = share(model.lambda[i]!, full.lambda[head * headStride + row]!);
        of!.massRecall.add(massRecall);
        if (!own || isAtModel) of!.ownMassRecall.add(massRecall);
        else if (own.ofAll) of!.ownMassRecall.add(share(own.lambda[i]!, own.ofAll[i]!));
        const recall = recalls[head];
        if (recall && !Number.isNaN(recall.recall[row])) {
          of!.topkRecall.add(recall.recall[row]!);
          of!.topkChance.add(recall.chance[row]!);
        }
      }
      const [start, end] = [head * size, (head + 1) * size];
      of!.squaredNorm = addSquares(of!.squaredNorm, full.out, null, start, end);
      of!.squaredError = addSquares(of!.squaredError, model.out, full.out, start, end);
      of!.squaredErrorAsRun = addSquares(of!.squaredErrorAsRun, (own ?? model).out, full.out, start, end);
    }
    if (full.projected && model.projected) sums.addProjected(full.projected, model.projected);
  };
}

/**
 * Heads' outputs [H, n, d] side by side times W_O, dense [n, D], without its bias, which a difference does not see; null where the
 * text has no W_O.
 */
export function projected(
  scratch: Scratch,
  text: Trace,
  layer: number,
  out: Rows,
): Promise<Float32Array> | null {
  const weight = text.outputWeight(layer);
  if (!weight) return null;
  const { ops } = text;
  const { heads, rows, channels } = out;
  const joined = scratch.floats(heads * rows * channels, 'outputs of all heads');
  const byToken = tokenMajorRows(joined, heads, rows, channels);
  ops.copyRows({ input: out, out: byToken });
  const buffer = scratch.floats(rows * weight.rows, 'projected outputs');
  ops.matmul({ input: joinHeads(byToken), weight, out: matrixRows(buffer, rows, weight.rows) });
  return ops.readFloats(buffer);
}

/** What full attention gives, λ by `logSumExp.headStride`: the same for every method. */
export function fullAttention(
  text: Trace,
  { memo }: MeasuredRun,
  { layer, block, query, key, value, logSumExp }: LayerInput,
): Promise<FullNumbers> {
  const { ops, scores } = text;
  const { heads, rows, channels } = query;
  const { buffer, offset, headStride } = logSumExp!;
  const read = async (): Promise<FullNumbers> => {
    const scratch = new Scratch(ops);
    const full = space(scratch, query, 'full output');
    const visible: VisibleKeys = { range: { start: 0, end: block.end, causal: true } };
    ops.attention({ query, key, value, ...scores, visible, ...full });
    const reads = Promise.all([
      ops.readFloats(full.out.buffer),
      ops.readFloats(buffer, offset, (heads - 1) * headStride + rows),
      projected(scratch, text, layer, full.out),
    ]);
    scratch.release();
    const [out, lambda, afterProjection] = await reads;
    return { out, lambda, projected: afterProjection };
  };
  const projection = text.outputWeight(layer)?.rows ?? 0;
  const count = heads * rows * channels + (heads - 1) * headStride + rows + rows * projection;
  if (!memo) return read();
  return memo.get(`full/${layer}/${block.start}/${block.end}`, () => new Numbers(count, read())).values;
}

/**
 * Attention under the method's own positions on the kept keys, into `kept`, and where a key's position does not depend on what
 * else is kept the log-sum-exp over all keys. Null for methods with the model's positions.
 */
function attendOwn(
  scratch: Scratch,
  { methodId, run, memo }: MeasuredRun,
  part: LayerInput,
  selection: Selection,
  kept: Attended,
): { lambdaOfAll: Promise<Float32Array> | null } | null {
  if (!run.attend) return null;
  run.attend(part, selection, kept.out, kept.logSumExp);
  if (!run.farEnd) return { lambdaOfAll: null };
  const { rangeStart } = selection;
  const { layer, block, query } = part;
  const read = (): Promise<Float32Array> => {
    const ofAll = space(scratch, query, 'output as run on all keys');
    const tokens = Uint32Array.from({ length: rangeStart }, (_, token) => token);
    const buffer = scratch.upload(tokens, 'all keys');
    const list =
      rangeStart > 0 ? { buffer, offset: 0, sets: 1, count: rangeStart, rowStride: rangeStart } : null;
    run.attend?.(part, { ...selection, list }, ofAll.out, ofAll.logSumExp);
    return scratch.ops.readFloats(ofAll.logSumExp.buffer);
  };
  if (!memo || !run.attendsBy) return { lambdaOfAll: read() };
  const name = [methodId, run.attendsBy(layer), rangeStart, layer, block.start, block.end].join('/');
  const numbers = memo.get(`own/${name}`, () => new Numbers(query.heads * query.rows, read()));
  return { lambdaOfAll: numbers.values };
}

/** Room for two results one behind the other. */
export function twoSpaces(scratch: Scratch, { heads, rows, channels }: Rows) {
  const size = heads * rows * channels;
  const out = scratch.floats(2 * size, 'outputs on kept keys');
  const lambda = scratch.floats(2 * heads * rows, 'log-sum-exp of kept keys');
  const at = (index: 0 | 1): Attended => ({
    out: headMajorRows(out, heads, rows, channels, index * size),
    logSumExp: { buffer: lambda, offset: index * heads * rows, headStride: rows },
  });
  return { out, lambda, at };
}

function space(scratch: Scratch, { heads, rows, channels }: Rows, label: string): Attended {
  return {
    out: scratch.rows(heads, rows, channels, label),
    logSumExp: scratch.scalars(heads, rows, `${label}, log-sum-exp`),
  };
}

/**
 * exp(λ_part − λ_all): the share of the softmax's mass, which rounding must not lift above 1. NaN where a log-sum-exp is none, as
 * scores that left 32 bits make it; −∞ of a part that holds no key is one.
 */
export function share(part: number, all: number): number {
  return part < Number.POSITIVE_INFINITY && Number.isFinite(all)
    ? Math.min(1, Math.exp(part - all))
    : Number.NaN;
}
