/** Recall and output error of consecutive queries of one block. */
import type { RowScalars, VisibleKeys } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import type { LayerInput, MethodRun, Selection } from '../methods/method';
import type { RecordedText } from '../study/recorded';
import type { LayerSums } from './layer-sums';
import { Scratch } from './scratch';
import type { KeptKeys } from './selection-reader';
import { recordTopKRecall } from './top-k-recall';

interface Attended {
  readonly out: Rows;
  readonly logSumExp: RowScalars;
}

/** Measures the queries of `part` and adds them to `sums`. */
export async function measurePart(
  text: RecordedText,
  run: MethodRun,
  part: LayerInput,
  selection: Selection,
  kept: KeptKeys,
  sums: LayerSums,
): Promise<void> {
  const { ops, attentionScale: scale } = text;
  const { query, key, value, logSumExp } = part;
  const { heads, rows, channels } = query;
  if (!logSumExp) throw new Error('a probe run needs full attention’s log-sum-exp');
  const scratch = new Scratch(ops);
  const attend = (visible: VisibleKeys, label: string): Attended => {
    const result = space(scratch, query, label);
    ops.attention({ query, key, value, scale, visible, ...result });
    return result;
  };
  const { list, rangeStart } = selection;
  const end = part.block.end;
  const full = attend({ range: { start: 0, end, causal: true } }, 'full output');
  const range = { start: rangeStart, end, causal: true };
  const model = attend(list ? { list, range } : { range }, 'output on kept keys');
  const own = attendOwn(scratch, run, part, selection);
  const readRecalls = recordTopKRecall(ops, scratch, { query, key, logSumExp, scale }, kept);

  const read = (of: Rows | RowScalars | null | undefined): Promise<Float32Array> | null =>
    of ? ops.readFloats(of.buffer) : null;
  const [lambda, fullOut, modelOut, modelLambda, ownOut, ownLambda, ownLambdaOfAll, recalls] =
    await Promise.all([
      ops.readFloats(logSumExp.buffer, logSumExp.offset, (heads - 1) * logSumExp.headStride + rows),
      ops.readFloats(full.out.buffer),
      ops.readFloats(model.out.buffer),
      ops.readFloats(model.logSumExp.buffer),
      read(own?.kept.out),
      read(own?.ofAll && own.kept.logSumExp),
      read(own?.ofAll?.logSumExp),
      readRecalls(),
    ]);
  scratch.release();

  const size = rows * channels;
  for (let head = 0; head < heads; head++) {
    const of = sums.heads[head];
    for (let row = 0; row < rows; row++) {
      const i = head * rows + row;
      const massRecall = share(modelLambda[i], lambda[head * logSumExp.headStride + row]);
      of.massRecall.add(massRecall);
      if (!own) of.ownMassRecall.add(massRecall);
      else if (ownLambda && ownLambdaOfAll) of.ownMassRecall.add(share(ownLambda[i], ownLambdaOfAll[i]));
      const recall = recalls[head];
      if (recall) of.topkRecall.add(recall[row]);
    }
    for (let i = head * size; i < (head + 1) * size; i++) {
      of.squaredNorm += fullOut[i] ** 2;
      of.squaredError += (modelOut[i] - fullOut[i]) ** 2;
      of.squaredErrorAsRun += ((ownOut ?? modelOut)[i] - fullOut[i]) ** 2;
    }
  }
}

/**
 * Attention under the method's own positions, on the kept keys and, where a key's position does not depend on what else is
 * kept, on all keys. Null for methods with the model's positions.
 */
function attendOwn(
  scratch: Scratch,
  run: MethodRun,
  part: LayerInput,
  selection: Selection,
): { kept: Attended; ofAll: Attended | null } | null {
  if (!run.attend || run.positions === 'model') return null;
  const kept = space(scratch, part.query, 'output as run');
  run.attend(part, selection, kept.out, kept.logSumExp);
  if (run.positions === 'cache') return { kept, ofAll: null };
  const ofAll = space(scratch, part.query, 'output as run on all keys');
  const count = selection.rangeStart;
  const buffer = scratch.upload(
    Uint32Array.from({ length: count }, (_, token) => token),
    'all keys',
  );
  const list = count > 0 ? { buffer, offset: 0, sets: 1, count, rowStride: count } : null;
  run.attend(part, { ...selection, list }, ofAll.out, ofAll.logSumExp);
  return { kept, ofAll };
}

function space(scratch: Scratch, { heads, rows, channels }: Rows, label: string): Attended {
  return {
    out: scratch.rows(heads, rows, channels, label),
    logSumExp: scratch.scalars(heads, rows, `${label}, log-sum-exp`),
  };
}

/** exp(λ_part − λ_all): the share of the softmax's mass, which rounding must not lift above 1. */
function share(part: number, all: number): number {
  return Math.min(1, Math.exp(part - all));
}
