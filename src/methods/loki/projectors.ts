/**
 * Loki's maps onto the principal components of a text's keys, by layer and KV head (hpcgroup/loki, methods/pca_topk/utils.py,
 * get_pca_components: scikit-learn's, which are centred).
 */
import { headMajorRows, type Rows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import type { LayerTrace } from '../../trace/trace';
import { secondMoments } from '../esa/moments';
import { inTurns } from '../in-turns';
import type { MethodContext, ScoreMemo } from '../method';
import { choiceOf, isOn, numberIn, type Parameters } from '../parameters';
import { inBuffers } from '../remember';

/** Longer texts are sampled at even steps: components settle long before. */
const MOST_TOKENS = 4096;

const REFUSAL = 'loki: the components of this text’s keys cannot be computed; choose another method.';

export interface Projectors {
  /** P_r P_rᵀ, [G, d, d]; valid as long as what comes from the memo. */
  of(layer: number): Rows;
}

/** Components, descending by variance: of each KV head [d, d], a row each. By the text that they are of. */
const known = new WeakMap<LayerTrace, Map<string, readonly Float64Array[]>>();

/** Those of all recorded layers. Throws UserError where no text is recorded, or keys before rotation are asked for and are not there. */
export async function prepareProjectors(
  { ops }: Pick<MethodContext, 'ops'>,
  parameters: Parameters,
  memo: ScoreMemo,
  recorded: readonly LayerTrace[] | null,
  signal?: AbortSignal,
): Promise<Projectors> {
  if (!recorded) throw new UserError('loki needs the keys of a text that was read with full attention.');
  const keys = choiceOf(parameters, 'keys');
  const isCentred = isOn(parameters, 'centred');
  const name = `${keys}/${isCentred}`;
  const components = new Map<number, readonly Float64Array[]>();
  for (const source of recorded) {
    signal?.throwIfAborted();
    const view = keys === 'rotated' ? source.key : source.keyUnrotated;
    if (!view) {
      throw new UserError(
        `loki: the components of keys before rotation need them, which layer ${source.layer} of this capture lacks; use keys "rotated".`,
      );
    }
    const ofText = known.get(source) ?? new Map<string, readonly Float64Array[]>();
    known.set(source, ofText);
    const found = ofText.get(name) ?? (await componentsOf(ops, view, isCentred, signal));
    ofText.set(name, found);
    components.set(source.layer, found);
    await ops.pace();
  }
  return {
    of(layer) {
      const of = components.get(layer);
      if (!of) throw new Error(`no components were prepared for layer ${layer}`);
      const channels = Math.sqrt(of[0]!.length);
      const rank = Math.min(channels, numberIn(parameters, 'components', layer));
      const { buffer } = memo.get(`loki/projector/${name}/${rank}/${layer}`, () => {
        const data = Float32Array.from(of.flatMap((vectors) => [...projector(vectors, channels, rank)]));
        const uploaded = ops.upload(data, `layer ${layer} projectors`);
        return inBuffers(ops, [uploaded], { buffer: uploaded });
      });
      return headMajorRows(buffer, of.length, channels, channels);
    },
  };
}

async function componentsOf(
  ops: MethodContext['ops'],
  view: Rows,
  isCentred: boolean,
  signal: AbortSignal | undefined,
): Promise<readonly Float64Array[]> {
  const { heads, rows, channels } = view;
  const scratch = new Scratch(ops);
  const dense = scratch.rows(heads, rows, channels, 'keys, head by head');
  ops.copyRows({ input: view, out: dense });
  const reading = ops.readFloats(dense.buffer);
  scratch.release();
  const data = await reading;
  // Loaded here so that the page, which only lists the methods, does without linear algebra.
  const { symmetricEigen } = await import('../symmetric-eigen');
  const step = Math.ceil(rows / MOST_TOKENS);
  const all: Float64Array[] = [];
  for (let head = 0; head < heads; head++) {
    const keys = data.subarray(head * rows * channels, (head + 1) * rows * channels);
    const moments = secondMoments(keys, channels, step);
    if (isCentred) centre(moments, keys, channels, step);
    if (!moments.every(Number.isFinite)) throw new UserError(REFUSAL);
    all.push((await inTurns(symmetricEigen(moments, channels, REFUSAL), signal)).vectors);
  }
  return all;
}

/** Second moments about the mean in place of those about 0. */
function centre(moments: Float64Array, keys: Float32Array, channels: number, step: number): void {
  const mean = new Float64Array(channels);
  let count = 0;
  for (let start = 0; start < keys.length; start += step * channels) {
    count++;
    for (let c = 0; c < channels; c++) mean[c]! += keys[start + c]!;
  }
  for (let i = 0; i < channels; i++)
    for (let j = 0; j < channels; j++) moments[i * channels + j]! -= (mean[i]! / count) * (mean[j]! / count);
}

/** Σ v vᵀ over the first `rank` rows v of [channels, channels]. */
function projector(vectors: Float64Array, channels: number, rank: number): Float64Array {
  const out = new Float64Array(channels * channels);
  for (let r = 0; r < rank; r++) {
    for (let i = 0; i < channels; i++) {
      const factor = vectors[r * channels + i]!;
      for (let j = 0; j < channels; j++) out[i * channels + j]! += factor * vectors[r * channels + j]!;
    }
  }
  return out;
}
