import * as z from 'zod/mini';
import { check, llamaFields, llamaLike, tokens, windowsWhere } from './config-parts';
import type { LinearWeights } from './decoder-weights';
import { llamaLayout } from './llama-layout';
import type { ArchitectureRule } from './rule';
import { linear, rowsOf } from './tensors';

const schema = z.object({ ...llamaFields, sliding_window: z.nullish(tokens) });

/** Llama with one tensor for queries, keys and values, another for gate and up, LongRoPE, and a window in all layers or none. */
export const phi3: ArchitectureRule = {
  id: 'phi3',
  names: ['phi3'],
  read(given) {
    const settings = { ...given, rope_scaling: renamed(given.rope_scaling) };
    const checked = check(schema, settings);
    return {
      ...llamaLike('phi3', settings, checked, {
        ...{ trainedTokens: 4096, specialTokens: [1, 32000], epsilon: 1e-5, mayBePartial: true },
      }),
      ...windowsWhere(checked.num_hidden_layers, checked.sliding_window, () => true),
    };
  },
  layout: (source, config) =>
    llamaLayout(source, config, {
      queryKeyValue({ name }) {
        const { hiddenSize, headDimension: d } = config;
        const [queries, keys] = [config.queryHeads * d, config.keyValueHeads * d];
        const all = linear(source, `${name}.self_attn.qkv_proj`, queries + 2 * keys, hiddenSize, false);
        return async (): Promise<[LinearWeights, LinearWeights, LinearWeights]> => {
          const map = await all();
          return [rowsOf(map, 0, queries), rowsOf(map, queries, keys), rowsOf(map, queries + keys, keys)];
        };
      },
      gateAndUp({ name }) {
        const { hiddenSize, feedForwardSize: size } = config;
        const both = linear(source, `${name}.mlp.gate_up_proj`, 2 * size, hiddenSize, false);
        return async (): Promise<[LinearWeights, LinearWeights]> => {
          const map = await both();
          return [rowsOf(map, 0, size), rowsOf(map, size, size)];
        };
      },
    }),
};

/** Older files call LongRoPE `su` or `yarn`, by which transformers means it, too. */
function renamed(scaling: unknown): unknown {
  if (typeof scaling !== 'object' || scaling === null) return scaling;
  const { type, rope_type: name = type } = scaling as { type?: unknown; rope_type?: unknown };
  return name === 'su' || name === 'yarn' ? { ...scaling, rope_type: 'longrope' } : scaling;
}
