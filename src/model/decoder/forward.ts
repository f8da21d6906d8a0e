/** Full attention over a whole text, with everything that the command line's `forward` writes. */
import { mebibytes } from '../../../gpu/memory';
import type { Rows } from '../../../gpu/rows';
import { endOfRows, matrixRows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import { scoresOf } from '../architectures/config';
import { attendSelection } from './attend';
import { checkFinite, checkHidden, checkLogits } from './check-finite';
import type { Decoder, DecoderSession } from './decoder';
import { startSession } from './decoder';
import { RotatedRows } from './rotated-rows';

/** Tokens per block: keeps submissions short and scratch space small; the result does not depend on it. */
const BLOCK_TOKENS = 256;

export interface ForwardResult {
  /** Holds keys and values of the text, with queries and log-sum-exp where they are kept; release it. */
  readonly reader: DecoderSession;
  /** [T, V]; [1, V] of the last token; empty where no states are kept. */
  readonly logits: Float32Array;
  /** L + 1 tensors [T, D]: embeddings, then the input of each further layer, then the states after the last norm; empty but for 'all'. */
  readonly hidden: readonly Float32Array[];
}

export interface ForwardOptions {
  readonly onProgress?: (tokens: number) => void;
  /** Hidden states and logits of all tokens, the logits of the last token alone, or neither. All by default. */
  readonly keepStates?: 'all' | 'last' | 'none';
  /** Keep queries and log-sum-exp of every token; by default. */
  readonly keepQueries?: boolean;
  /** So many layers are read, from the first on, where no states are kept; all by default. */
  readonly layersRead?: number;
  /** Layers whose rotated keys are held while it reads; all by default. */
  readonly rotatedLayers?: number;
  /** Keep the hidden states that every layer projects from, on the device; not by default. */
  readonly keepHidden?: boolean;
  /** False: results that are not finite are given as they are. Otherwise they end in UserError, which names their layer. */
  readonly isChecked?: boolean;
}

/** Reads `ids` with full attention and keeps, off the device, the hidden states and logits that are asked for. */
export async function forward(
  decoder: Decoder,
  ids: Uint32Array,
  {
    onProgress,
    keepStates = 'all',
    keepQueries = true,
    layersRead,
    rotatedLayers,
    keepHidden,
    isChecked = true,
  }: ForwardOptions = {},
): Promise<ForwardResult> {
  const { ops, config } = decoder;
  const { layers, hiddenSize: D, vocabularySize: V, queryHeads: H } = config;
  const tokens = ids.length;
  const keptTokens = { all: tokens, last: 1, none: 0 }[keepStates];
  const statesOfAll = keepStates === 'all' ? layers + 1 : 0;
  const mostAtOnce = Math.min(tokens, BLOCK_TOKENS);
  const reader = startSession(decoder, {
    ...{ capacity: tokens, mostAtOnce, keepQueries, keepHidden, rotatedLayers, layers: layersRead },
  });
  const scratch = new Scratch(ops);
  try {
    const logits = hostFloats(keptTokens * V, 'logits');
    const hidden = Array.from({ length: statesOfAll }, () => hostFloats(tokens * D, 'hidden states'));
    const logitRows = Math.min(keptTokens, mostAtOnce);
    const blockLogits = scratch.floats(logitRows * V, 'logits');
    const blockStates = hidden.map((_, i) => scratch.floats(mostAtOnce * D, `hidden ${i}`));
    const unkept = keepQueries ? null : scratch.scalars(H, mostAtOnce, 'log-sum-exp of a block');
    let lastState: Float32Array | null = null;
    for (let start = 0; start < tokens; start += BLOCK_TOKENS) {
      const block = ids.subarray(start, Math.min(tokens, start + BLOCK_TOKENS));
      const keep = (index: number, states: Rows): void => {
        const buffer = blockStates[index];
        if (buffer) ops.copyRows({ input: states, out: matrixRows(buffer, block.length, D) });
      };
      const states = await reader.read(block, {
        attend: (asked) => {
          const input = { ...asked, block: { start, end: asked.end }, logSumExp: null };
          const logSumExp = asked.logSumExp ? { ...asked.logSumExp, offset: start } : unkept!;
          const all = { list: null, rangeStart: 0 };
          attendSelection(ops, input, all, scoresOf(config), asked.out, logSumExp);
        },
        observe: keep,
      });
      keep(layers, states);
      if (keepStates === 'all') {
        reader.logits(states, matrixRows(blockLogits, block.length, V));
        logits.set(await ops.readFloats(blockLogits, 0, block.length * V), start * V);
        for (const [i, ofBlock] of blockStates.entries())
          hidden[i]!.set(await ops.readFloats(ofBlock, 0, block.length * D), start * D);
      } else if (keepStates === 'last' && start + block.length === tokens) {
        const last = sliceRows(states, block.length - 1, 1);
        lastState = await ops.readFloats(last.buffer, last.offset, D);
        reader.logits(last, matrixRows(blockLogits, 1, V));
        logits.set(await ops.readFloats(blockLogits, 0, V));
      }
      onProgress?.(start + block.length);
    }
    if (isChecked) {
      if (keepStates !== 'all') await checkFinite(ops, reader.caches, tokens);
      for (const [i, states] of hidden.entries()) checkHidden(states, i, layers, D);
      if (lastState) checkHidden(lastState, layers, layers, D);
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
  reader: Pick<DecoderSession, 'caches' | 'rotations'>,
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
      ...{ ops, rotations: reader.rotations, heads, channels, capacity: tokens },
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
