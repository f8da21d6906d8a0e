/** Full attention over a whole text, with everything that the command line's `forward` writes. */
import type { Rows } from '../../gpu/rows';
import { endOfRows, matrixRows, sliceRows } from '../../gpu/rows';
import type { Decoder, LayerCache, Reader } from '../model/decoder';
import { createReader } from '../model/decoder';
import { attendSelection } from './attend';

/** Tokens per block: keeps submissions short and scratch space small; the result does not depend on it. */
const BLOCK_TOKENS = 256;

export interface ForwardResult {
  /** Holds queries, keys, values and log-sum-exp of the text; release it. */
  readonly reader: Reader;
  /** [T, V]. */
  readonly logits: Float32Array;
  /** L + 1 tensors [T, D]: embeddings, then the input of each further layer, then the states after the last norm. */
  readonly hidden: readonly Float32Array[];
}

/** Reads `ids` with full attention and keeps hidden states and logits of every token. */
export async function forward(
  decoder: Decoder,
  ids: Uint32Array,
  onProgress: (tokens: number) => void = () => {},
): Promise<ForwardResult> {
  const { ops, config } = decoder;
  const tokens = ids.length;
  const reader = createReader(decoder, { capacity: tokens, largestBlock: BLOCK_TOKENS, keepQueries: true });
  const keep = (channels: number, label: string): Rows =>
    matrixRows(ops.allocate('f32', tokens * channels, label), tokens, channels);
  const logits = keep(config.vocabularySize, 'logits');
  const hidden = Array.from({ length: config.layers + 1 }, (_, i) => keep(config.hiddenSize, `hidden ${i}`));
  try {
    for (let start = 0; start < tokens; start += BLOCK_TOKENS) {
      const block = ids.subarray(start, Math.min(tokens, start + BLOCK_TOKENS));
      const part = (view: Rows): Rows => sliceRows(view, start, block.length);
      const last = await reader.read(
        block,
        ({ cache, query, queryUnrotated, out, end, layer }) => {
          const { buffer, headStride } = cache.logSumExp!;
          const input = {
            layer,
            block: { start, end },
            query,
            queryUnrotated,
            key: sliceRows(cache.key, 0, end),
            keyUnrotated: sliceRows(cache.keyUnrotated, 0, end),
            value: sliceRows(cache.value, 0, end),
            logSumExp: null,
          };
          const logSumExp = { buffer, offset: start, headStride };
          attendSelection(ops, input, { list: null, rangeStart: 0 }, config.attentionScale, out, logSumExp);
        },
        (index, states) => ops.copyRows({ input: states, out: part(hidden[index]) }),
      );
      ops.copyRows({ input: last, out: part(hidden[config.layers]) });
      reader.logits(last, part(logits));
      onProgress(start + block.length);
    }
    return {
      reader,
      logits: await ops.readFloats(logits.buffer),
      hidden: await Promise.all(hidden.map((view) => ops.readFloats(view.buffer))),
    };
  } catch (error) {
    reader.release();
    throw error;
  } finally {
    ops.release(logits.buffer, ...hidden.map((view) => view.buffer));
  }
}

/** A layer's tensors off the device, as dense [heads, T, d], the form that captures have. */
export async function readLayer(
  decoder: Decoder,
  cache: LayerCache,
  tokens: number,
): Promise<Record<'query' | 'queryUnrotated' | 'key' | 'keyUnrotated' | 'value', Float32Array>> {
  const read = async (view: Rows): Promise<Float32Array> => {
    const data = await decoder.ops.readFloats(view.buffer, view.offset, endOfRows(view) - view.offset);
    const dense = new Float32Array(view.heads * tokens * view.channels);
    for (let h = 0; h < view.heads; h++) {
      for (let t = 0; t < tokens; t++) {
        const from = h * view.headStride + t * view.rowStride;
        dense.set(data.subarray(from, from + view.channels), (h * tokens + t) * view.channels);
      }
    }
    return dense;
  };
  return {
    query: await read(cache.query!),
    queryUnrotated: await read(cache.queryUnrotated!),
    key: await read(cache.key),
    keyUnrotated: await read(cache.keyUnrotated),
    value: await read(cache.value),
  };
}
