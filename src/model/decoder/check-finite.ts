/** Results that are not finite end a study in a sentence that names where they begin; none reaches the page or a file. */
import type { Ops } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';
import { firstNotFinite } from '../../base/finite';
import { UserError } from '../../base/user-error';
import type { LayerCache } from './decoder';

const CURE = "the model's weights are damaged, or too large for 32-bit numbers";
/** Log-sum-exps that are read back together. */
const LAYERS_AT_ONCE = 8;

/**
 * Checks what full attention left of a text: every layer's log-sum-exp, and the states after the last norm, [n, D]. Throws
 * UserError that names the first layer where something is not finite.
 */
export async function checkFinite(
  ops: Ops,
  caches: readonly LayerCache[],
  tokens: number,
  states: Float32Array = new Float32Array(0),
): Promise<void> {
  for (let first = 0; first < caches.length; first += LAYERS_AT_ONCE) {
    const layers = caches.slice(first, first + LAYERS_AT_ONCE);
    const sums = await Promise.all(
      layers.map(({ logSumExp }) => (logSumExp ? ops.readFloats(logSumExp.buffer) : null)),
    );
    for (const [i, values] of sums.entries()) {
      const stride = layers[i]!.logSumExp?.headStride ?? 0;
      for (let h = 0; values && (h + 1) * stride <= values.length; h++) {
        const token = firstNotFinite(values.subarray(h * stride, h * stride + tokens));
        if (token < 0) continue;
        const cause = (await firstTensor(ops, caches.slice(0, first + i + 1))) ?? {
          layer: first + i,
          name: 'attention scores',
        };
        throw new UserError(
          `In layer ${cause.layer} the ${cause.name} are not finite (seen at token ${token}): ${CURE}.`,
        );
      }
    }
  }
  if (firstNotFinite(states) < 0) return;
  const cause = await firstTensor(ops, caches);
  throw new UserError(
    cause
      ? `In layer ${cause.layer} the ${cause.name} are not finite: ${CURE}.`
      : `After layer ${caches.length - 1}, the last, the hidden states are not finite: ${CURE}.`,
  );
}

/** Hidden states [T, D] after `index` of all layers, the last of them normalized. */
export function checkHidden(states: Float32Array, index: number, layers: number, hiddenSize: number): void {
  const at = firstNotFinite(states);
  if (at < 0) return;
  const where = index === 0 ? 'The embeddings' : `After layer ${index - 1} of ${layers} the hidden states`;
  throw new UserError(`${where} are not finite at token ${Math.floor(at / hiddenSize)}: ${CURE}.`);
}

/** Logits [n, V]. */
export function checkLogits(logits: Float32Array, vocabularySize: number): void {
  const at = firstNotFinite(logits);
  if (at < 0) return;
  throw new UserError(
    `The logits are not finite (row ${Math.floor(at / vocabularySize)}, token id ${at % vocabularySize}), though the states after the last layer are: the head's weights are too large for 32-bit numbers.`,
  );
}

/** States of a method's run, [n, D]. Full attention's were checked before. */
export function checkMethodStates(states: Float32Array, method: string): void {
  if (firstNotFinite(states) < 0) return;
  throw new UserError(`Read with ${method}, the text's hidden states are not finite: ${CURE}.`);
}

/** The first tensor in the order of computation that holds something not finite. */
async function firstTensor(
  ops: Ops,
  caches: readonly LayerCache[],
): Promise<{ readonly layer: number; readonly name: string } | null> {
  const isSound = async (rows: Rows | null): Promise<boolean> =>
    rows === null || firstNotFinite(await ops.readFloats(rows.buffer)) < 0;
  for (const [layer, { queryUnrotated, keyUnrotated, value }] of caches.entries()) {
    const [query, key, values] = [
      await isSound(queryUnrotated),
      await isSound(keyUnrotated),
      await isSound(value),
    ];
    // All three at once: what they are made of was not finite.
    if (!query && !key && !values && layer > 0) return { layer: layer - 1, name: 'hidden states' };
    if (!query) return { layer, name: 'queries' };
    if (!key) return { layer, name: 'keys' };
    if (!values) return { layer, name: 'values' };
  }
  return null;
}

/** Throws UserError that names the number, where plain data that is about to leave the engine holds one that is not finite. */
export function checkMeasured(value: unknown, path: readonly string[] = []): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      throw new UserError(`The measured ${path.join(' ')} is not finite: ${CURE}.`);
    }
  } else if (Array.isArray(value)) {
    for (const [i, part] of value.entries()) {
      const layer = part !== null && typeof part === 'object' ? (part as { layer?: unknown }).layer : null;
      checkMeasured(part, typeof layer === 'number' ? [...path, `of layer ${layer}:`] : [...path, `${i}`]);
    }
  } else if (value !== null && typeof value === 'object') {
    for (const [name, part] of Object.entries(value)) checkMeasured(part, [...path, name]);
  }
}
