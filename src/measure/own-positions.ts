/**
 * Attention weights of one head under a method's own positions of all keys: A_own[i, t] = exp(z_own[i, t] − λ_own[i]), λ_own the
 * log-sum-exp over all keys t ≤ i as the method places them, the same as in its own mass recall.
 */
import { type Rows, sliceHeads, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { keepEverything } from '../methods/keep-everything';
import type { LayerInput, MethodRun, QueryBlock, Selection } from '../methods/method';
import type { LayerTrace, Trace } from '../trace/trace';
import { layerInput } from './trace-run';

/** A run whose positions are its own. */
export type OwnRun = MethodRun & Required<Pick<MethodRun, 'attend' | 'farEnd' | 'farRows'>>;

export function isOwnRun(run: MethodRun): run is OwnRun {
  return Boolean(run.attend && run.farEnd && run.farRows);
}

/** One head of a layer's input: [1, …] throughout. */
export function headInput(text: Trace, layerTrace: LayerTrace, block: QueryBlock, head: number) {
  const { keyValueHeads, queryHeads } = text;
  const keyHead = Math.floor((head * keyValueHeads) / queryHeads);
  const ofQuery = (view: Rows): Rows => sliceHeads(view, head, 1);
  const ofKey = (view: Rows): Rows => sliceHeads(view, keyHead, 1);
  const input = layerInput(layerTrace, block);
  const { layer, queryUnrotated, keyUnrotated, value } = input;
  return {
    layer,
    block,
    get query() {
      return ofQuery(input.query);
    },
    queryUnrotated: queryUnrotated && ofQuery(queryUnrotated),
    get key() {
      return ofKey(input.key);
    },
    keyUnrotated: keyUnrotated && ofKey(keyUnrotated),
    value: ofKey(value),
    hidden: input.hidden,
    logSumExp: null,
    queriesBefore: () => null,
    prompt: () => null,
    inLayer: () => null,
    atBlock: () => null,
  } satisfies LayerInput;
}

/** Every key that queries of `block` can see, those before `farEnd` at positions of the method's own. */
export function everything(scratch: Scratch, { start, end }: QueryBlock, farEnd: number): Selection {
  if (farEnd >= end) return keepEverything(start);
  const tokens = Uint32Array.from({ length: farEnd }, (_, token) => token);
  const list =
    farEnd === 0
      ? null
      : {
          buffer: scratch.upload(tokens, 'all far keys'),
          offset: 0,
          sets: 1,
          count: farEnd,
          rowStride: farEnd,
        };
  return {
    ...{ list, rangeStart: farEnd, candidates: { start: farEnd, end: farEnd } },
    ...{ score: null, tiedAtCut: null, owned: [] },
  };
}

/** The weights of one query, [T]; 0 after it. */
export async function ownRowWeights(
  text: Trace,
  run: OwnRun,
  layerTrace: LayerTrace,
  head: number,
  block: QueryBlock,
  query: number,
): Promise<Float32Array> {
  const { ops, scores, tokens } = text;
  const own = { start: query, end: query + 1 };
  const farEnd = Math.min(run.farEnd(layerTrace.layer, block), own.end);
  const input = headInput(text, layerTrace, own, head);
  const scratch = new Scratch(ops);
  const logSumExp = scratch.scalars(1, 1, 'log-sum-exp of one query');
  const out = scratch.rows(1, 1, input.value.channels, 'output of one query');
  run.attend(input, everything(scratch, own, farEnd), out, logSumExp);
  const far = scratch.floats(farEnd, 'weights of far keys');
  const near = scratch.floats(query + 1 - farEnd, 'weights of near keys');
  if (farEnd > 0) {
    const rows = run.farRows(input);
    for (const buffer of rows.owned) scratch.keep(buffer);
    const key = sliceRows(rows.key, 0, farEnd);
    ops.attentionProbabilities({
      query: rows.query,
      key,
      ...scores,
      logSumExp,
      causalOffset: query,
      out: far,
    });
  }
  const key = sliceRows(input.key, farEnd, query + 1 - farEnd);
  const causalOffset = query - farEnd;
  ops.attentionProbabilities({ query: input.query, key, ...scores, logSumExp, causalOffset, out: near });
  const reads = Promise.all([ops.readFloats(far), ops.readFloats(near)]);
  scratch.release();
  const [farWeights, nearWeights] = await reads;
  const weights = new Float32Array(tokens);
  weights.set(farWeights);
  weights.set(nearWeights, farEnd);
  return weights;
}
