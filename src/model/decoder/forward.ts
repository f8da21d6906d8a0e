/** Full attention over a whole text, with everything that the command line's `forward` writes. */
import { mebibytes } from '../../../gpu/memory';
import type { Rows } from '../../../gpu/rows';
import { endOfRows, matrixRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import { attendSelection } from './attend';
import { checkFinite, checkHidden, checkLogits } from './check-finite';
import type { Decoder, DecoderSession } from './decoder';
import { startSession } from './decoder';
import { RotatedRows } from './rotated-rows';

/** Tokens per block: keeps submissions short and scratch space small; the result does not depend on it. */
const BLOCK_TOKENS = 256;

export interface ForwardResult {
  /** Holds queries, keys, values and log-sum-exp of the text; release it. */
  readonly reader: DecoderSession;
  /** [T, V]; empty where states are not kept. */
  readonly logits: Float32Array;
  /** L + 1 tensors [T, D]: embeddings, then the input of each further layer, then the states after the last norm. */
  readonly hidden: readonly Float32Array[];
}

export interface ForwardOptions {
  readonly onProgress?: (tokens: number) => void;
  /** False: neither hidden states nor logits, queries, keys and values only. True by default. */
  readonly keepStates?: boolean;
  /** Layers whose rotated keys are held while it reads; all by default. */
  readonly rotatedLayers?: number;
  /** Keep the hidden states that every layer projects from, on the device; not by default. */
  readonly keepHidden?: boolean;
  /** False: results that are not finite are given as they are. Otherwise they end in UserError, which names their layer. */
  readonly isChecked?: boolean;
}

/** Reads `ids` with full attention and keeps hidden states and logits of every token, off the device. */
export async function forward(
  decoder: Decoder,
  ids: Uint32Array,
  { onProgress, keepStates = true, rotatedLayers, keepHidden, isChecked = true }: ForwardOptions = {},
): Promise<ForwardResult> {
  const { ops, config } = decoder;
  const { layers, hiddenSize: D, vocabularySize: V } = config;
  const tokens = ids.length;
  const kept = keepStates ? tokens : 0;
  const mostAtOnce = Math.min(tokens, BLOCK_TOKENS);
  const reader = startSession(decoder, {
    ...{ capacity: tokens, mostAtOnce, keepQueries: true, keepHidden, rotatedLayers },
  });
  const scratch = new Scratch(ops);
  try {
    const logits = hostFloats(kept * V, 'logits');
    const hidden = Array.from({ length: layers + 1 }, () => hostFloats(kept * D, 'hidden states'));
    const blockLogits = kept > 0 ? scratch.floats(mostAtOnce * V, 'logits') : null;
    const blockStates = hidden.map((_, i) => scratch.floats(kept > 0 ? mostAtOnce * D : 0, `hidden ${i}`));
    for (let start = 0; start < tokens; start += BLOCK_TOKENS) {
      const block = ids.subarray(start, Math.min(tokens, start + BLOCK_TOKENS));
      const keep = (index: number, states: Rows): void => {
        if (blockLogits)
          ops.copyRows({ input: states, out: matrixRows(blockStates[index]!, block.length, D) });
      };
      const last = await reader.read(block, {
        attend: (asked) => {
          const { buffer, headStride } = asked.logSumExp!;
          const input = { ...asked, block: { start, end: asked.end }, logSumExp: null };
          const logSumExp = { buffer, offset: start, headStride };
          const all = { list: null, rangeStart: 0 };
          attendSelection(ops, input, all, config.attentionScale, asked.out, logSumExp);
        },
        observe: keep,
      });
      keep(layers, last);
      if (blockLogits) {
        reader.logits(last, matrixRows(blockLogits, block.length, V));
        logits.set(await ops.readFloats(blockLogits, 0, block.length * V), start * V);
        for (const [i, states] of blockStates.entries())
          hidden[i]!.set(await ops.readFloats(states, 0, block.length * D), start * D);
      }
      onProgress?.(start + block.length);
    }
    if (isChecked) {
      if (kept === 0) await checkFinite(ops, reader.caches, tokens);
      for (const [i, states] of hidden.entries()) checkHidden(states, i, layers, D);
      checkLogits(logits, V);
    }
    return { reader, logits, hidden };
  } catch (error) {
    reader.release();
    throw error;
  } finally {
    scratch.release();
  }
}

function hostFloats(length: number, label: string): Float32Array {
  try {
    return new Float32Array(length);
  } catch {
    throw new UserError(
      `There is no memory for the ${label} of all tokens (${mebibytes(4 * length)} MiB); use a shorter text.`,
    );
  }
}

/** A layer's tensors off the device, as dense [heads, T, d], the form that captures have. */
export async function readLayer(
  { ops }: Decoder,
  reader: Pick<DecoderSession, 'caches' | 'rotation'>,
  layer: number,
  tokens: number,
): Promise<Record<'query' | 'queryUnrotated' | 'key' | 'keyUnrotated' | 'value', Float32Array>> {
  const { queryUnrotated, keyUnrotated, value } = reader.caches[layer]!;
  const read = async (view: Rows): Promise<Float32Array> => {
    const data = await ops.readFloats(view.buffer, view.offset, endOfRows(view) - view.offset);
    const dense = new Float32Array(view.heads * tokens * view.channels);
    for (let h = 0; h < view.heads; h++) {
      for (let t = 0; t < tokens; t++) {
        const from = h * view.headStride + t * view.rowStride;
        dense.set(data.subarray(from, from + view.channels), (h * tokens + t) * view.channels);
      }
    }
    return dense;
  };
  const readRotated = async (view: Rows): Promise<Float32Array> => {
    const { heads, channels } = view;
    const rows = new RotatedRows({
      ...{ ops, rotation: reader.rotation, heads, channels, capacity: tokens },
      ...{ layersHeld: 1, label: 'rotated rows' },
    });
    try {
      return await read(rows.of(layer, view, tokens));
    } finally {
      rows.release();
    }
  };
  return {
    query: await readRotated(queryUnrotated!),
    queryUnrotated: await read(queryUnrotated!),
    key: await readRotated(keyUnrotated),
    keyUnrotated: await read(keyUnrotated),
    value: await read(value),
  };
}
