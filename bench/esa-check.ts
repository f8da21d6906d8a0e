/** Whether a step of ESA, and full attention of the same queries, are right. */
import { createCpuOps } from '../gpu/cpu';
import type { Ops } from '../gpu/ops';
import type { Selection } from '../src/methods/method';
import { checkOutput, sampledIndices } from './check';
import { createText, type EsaStep, prepareStep, type StepShape, type SyntheticText } from './esa-step';
import { attendOnce, range } from './reference';
import { best } from './top-k';

const TOLERANCE = 1e-5;
/** Scores differ by what adding in another order does to logits. */
const SCORE_TOLERANCE = 1e-4;
/** Scores of single queries are compared where there are at most this many. */
const MOST_SCORES = 2 ** 25;

/** Small and odd, so that every kernel meets its edges. */
const SMALL: StepShape = {
  queryHeads: 6,
  keyValueHeads: 2,
  headDimension: 20,
  compressedDim: 5,
  blockTokens: 37,
  initTokens: 11,
  selectedTokens: 61,
  proximity: 3,
};
const SMALL_TOKENS = 311;
const SMALL_LOCAL = 53;

/** The whole step at a small size, against the same step on the CPU. */
export async function checkAgainstCpu(ops: Ops): Promise<void> {
  const cpu = createCpuOps({ simd: false });
  const [actual, expected] = await Promise.all([ops, cpu].map(smallStep));
  cpu.destroy();
  if (expected!.list.some((token, i) => actual!.list[i] !== token))
    throw new Error("the step of ESA selects other tokens than the CPU's");
  checkOutput('the step of ESA', actual!.attended, expected!.attended, SCORE_TOLERANCE);
  checkOutput('full attention beside ESA', actual!.full, expected!.full, SCORE_TOLERANCE);
}

async function smallStep(ops: Ops) {
  const text = await createText(ops, SMALL, SMALL_TOKENS);
  const step = await prepareStep(ops, text, SMALL_TOKENS, SMALL_LOCAL);
  const { list, owned } = step.select();
  const result = {
    list: await ops.readIntegers(list!.buffer),
    attended: await ops.readFloats(step.out.buffer),
  };
  step.full();
  const full = await ops.readFloats(step.out.buffer);
  ops.release(...owned);
  step.release();
  text.release(ops);
  return { ...result, full };
}

/**
 * A step at its full size: scores against those of the single queries (where they fit), the choice against the scores, and both
 * attentions of some queries and heads against double precision.
 */
export async function checkStep(ops: Ops, text: SyntheticText, step: EsaStep): Promise<void> {
  const { block, query } = step.input;
  const rotatedQuery = await ops.readFloats(query.buffer);
  step.full();
  checkSamples('full attention', text, await ops.readFloats(step.out.buffer), ({ start, end, position }) => [
    { query: rotatedQuery.subarray(start, end), keys: text.host.key, rows: range(0, position + 1) },
  ]);

  const selection = step.select();
  const attended = await ops.readFloats(step.out.buffer);
  const { list, rangeStart } = selection;
  const far = list ? await ops.readIntegers(list.buffer, list.offset, list.count) : new Uint32Array();
  if (selection.score) await checkChoice(ops, text.shape, step, selection, far);
  else if (far.length !== rangeStart && list)
    throw new Error(`ESA keeps ${far.length} of ${rangeStart} far tokens, where all have room`);
  // Far tokens are seen un-rotated by queries at w, near ones at their distances.
  checkSamples("ESA's attention", text, attended, ({ start, end, position }) => [
    { query: rotatedQuery.subarray(start, end), keys: text.host.key, rows: range(rangeStart, position + 1) },
    {
      query: rotateTo(step.globalPosition, step.queryUnrotated.subarray(start, end)),
      keys: text.host.keyUnrotated,
      rows: far,
    },
  ]);
  ops.release(...selection.owned);

  /** Two heads, three queries each. */
  function checkSamples(
    name: string,
    { shape, host }: SyntheticText,
    out: Float32Array,
    partsOf: (place: { start: number; end: number; position: number }) => Part[],
  ): void {
    const { queryHeads, keyValueHeads, headDimension: d, blockTokens } = shape;
    for (const head of sampledIndices(queryHeads, 2)) {
      const offset = Math.floor((head * keyValueHeads) / queryHeads) * d;
      const rowsOf = (data: Float32Array) => ({ data, offset, stride: keyValueHeads * d });
      for (const index of sampledIndices(blockTokens, 3)) {
        const start = (index * queryHeads + head) * d;
        const place = { start, end: start + d, position: block.start + index };
        const parts = partsOf(place).map(({ keys, ...part }) => ({ ...part, key: rowsOf(keys) }));
        const expected = attendOnce(parts, rowsOf(host.value), d ** -0.5);
        checkOutput(`${name}, head ${head}`, out.subarray(start, start + d), expected, TOLERANCE);
      }
    }
  }
}

/** Keys that a query sees, as in `attendOnce`; `keys` are those of all key-value heads. */
interface Part {
  readonly query: Float32Array;
  readonly keys: Float32Array;
  readonly rows: Uint32Array;
}

/** @throws unless `kept` are the initial tokens and the middle ones with the best scores */
async function checkChoice(
  ops: Ops,
  { blockTokens, proximity, selectedTokens }: StepShape,
  step: EsaStep,
  selection: Selection,
  kept: Uint32Array,
): Promise<void> {
  const { rows, secondary, scoreStart } = selection.score!;
  const peaks = await ops.readFloats(secondary!.buffer, secondary!.offset, secondary!.length);
  const dilated = await ops.readFloats(rows.buffer, rows.offset, rows.length);
  if (blockTokens * peaks.length <= MOST_SCORES) {
    const scores = step.run.queryScores!(step.input)!;
    const { buffer, offset, rows: queries, length } = scores.approximate;
    const expected = peaksOf(await ops.readFloats(buffer, offset, queries * length), peaks.length);
    checkOutput('ESA importance', peaks, expected, SCORE_TOLERANCE);
    ops.release(...scores.owned);
  }
  const widened = peaks.map((_, j) =>
    Math.max(...peaks.subarray(Math.max(0, j - proximity), j + proximity + 1)),
  );
  checkOutput('dilated scores', dilated, widened, 0);
  const chosen = best(dilated, peaks, selectedTokens).map((place) => place + scoreStart);
  const expected = [...range(0, scoreStart), ...chosen];
  if (kept.length !== expected.length || expected.some((token, i) => kept[i] !== token))
    throw new Error('ESA does not keep the tokens with the best scores');
}

/** max over queries c of f(c, m) − max over m' of f(c, m'), f dense [queries, length]. */
function peaksOf(scores: Float32Array, length: number): Float32Array {
  const out = new Float32Array(length).fill(Number.NEGATIVE_INFINITY);
  for (let start = 0; start < scores.length; start += length) {
    let peak = Number.NEGATIVE_INFINITY;
    for (let m = 0; m < length; m++) peak = Math.max(peak, scores[start + m]!);
    for (let m = 0; m < length; m++) out[m] = Math.max(out[m]!, scores[start + m]! - peak);
  }
  return out;
}

/** Rotary embedding at one position, half-split, base 10,000. */
function rotateTo(position: number, channels: Float32Array): Float32Array {
  const half = channels.length / 2;
  const out = Float32Array.from(channels);
  for (let c = 0; c < half; c++) {
    const angle = position * 10_000 ** (-c / half);
    out[c] = channels[c]! * Math.cos(angle) - channels[c + half]! * Math.sin(angle);
    out[c + half] = channels[c + half]! * Math.cos(angle) + channels[c]! * Math.sin(angle);
  }
  return out;
}
