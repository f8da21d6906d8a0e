import * as z from 'zod/mini';
import { choice, count, truth } from '../files/schema';
import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import { check, epsilon, headSize, refuse, shared, specialTokens } from './config-parts';
import type { LayerWeights, Layout, LinearWeights } from './decoder-weights';
import { HEAD_NAME, isHeadTied } from './head';
import type { ArchitectureRule } from './rule';
import { checked, kept, norm, prefixOf, type Reader, rowsOf, transposed } from './tensors';

const schema = z.object({
  ...shared,
  n_positions: z.nullish(count(2 ** 24)),
  n_embd: count(2 ** 17),
  n_layer: count(1024),
  n_head: count(1024),
  n_inner: z.nullish(count(2 ** 20)),
  activation_function: z.nullish(choice(['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast', 'gelu'])),
  layer_norm_epsilon: epsilon,
  scale_attn_weights: z.nullish(truth),
  scale_attn_by_inverse_layer_idx: z.nullish(truth),
  add_cross_attention: z.nullish(truth),
});

/** Learned positions, layer norms, biases everywhere, no gate. */
export const gpt2: ArchitectureRule = {
  id: 'gpt2',
  names: ['gpt2'],
  read(settings) {
    const given = check(schema, settings);
    if (given.scale_attn_by_inverse_layer_idx) refuse('scale_attn_by_inverse_layer_idx');
    if (given.add_cross_attention) refuse('add_cross_attention');
    const headDimension = headSize(given.n_embd, given.n_head);
    return {
      architecture: 'gpt2',
      layers: given.n_layer,
      hiddenSize: given.n_embd,
      queryHeads: given.n_head,
      keyValueHeads: given.n_head,
      headDimension,
      feedForwardSize: given.n_inner ?? 4 * given.n_embd,
      vocabularySize: given.vocab_size,
      trainedTokens: given.n_positions ?? 1024,
      normalization: { kind: 'layer', epsilon: given.layer_norm_epsilon ?? 1e-5 },
      activation: given.activation_function === 'gelu' ? 'gelu' : 'gelu-tanh',
      rope: null,
      learnedPositions: true,
      biases: { queryKeyValue: true, attentionOutput: true, feedForward: true },
      queryKeyNorm: false,
      tiedHead: given.tie_word_embeddings ?? true,
      attentionScale: given.scale_attn_weights === false ? 1 : 1 / Math.sqrt(headDimension),
      ...specialTokens(settings, given, [50256, 50256]),
    };
  },
  layout,
};

/** Weights under the names of transformers' GPT-2, whose linear maps (Conv1D) are stored as [inputs, outputs]. */
async function layout(source: TensorSource, config: ModelConfig): Promise<Layout> {
  const { hiddenSize, vocabularySize, trainedTokens } = config;
  const prefix = prefixOf(source, 'transformer.', 'wte.weight');
  const embedding = kept(checked(source, `${prefix}wte.weight`, [vocabularySize, hiddenSize]));
  const positions = checked(source, `${prefix}wpe.weight`, [trainedTokens, hiddenSize]);
  const layers = Array.from({ length: config.layers }, (_, index) =>
    layer(source, config, `${prefix}h.${index}`),
  );
  const finalNorm = norm(source, `${prefix}ln_f`, hiddenSize, true);
  const isTied = await isHeadTied(source, config, `${prefix}wte.weight`);
  const head = isTied ? embedding : checked(source, HEAD_NAME, [vocabularySize, hiddenSize]);
  return { embedding, positions, layer: (index) => layers[index]!(), finalNorm, head, isTied };
}

function layer(source: TensorSource, config: ModelConfig, name: string): Reader<LayerWeights> {
  const { hiddenSize, feedForwardSize } = config;
  const inputNorm = norm(source, `${name}.ln_1`, hiddenSize, true);
  const attention = convolution(source, `${name}.attn.c_attn`, 3 * hiddenSize, hiddenSize);
  const output = convolution(source, `${name}.attn.c_proj`, hiddenSize, hiddenSize);
  const feedForwardNorm = norm(source, `${name}.ln_2`, hiddenSize, true);
  const up = convolution(source, `${name}.mlp.c_fc`, feedForwardSize, hiddenSize);
  const down = convolution(source, `${name}.mlp.c_proj`, hiddenSize, feedForwardSize);
  return async () => {
    // c_attn makes q, k and v at once: its outputs, in this order.
    const all = await attention();
    const [query, key, value] = [0, 1, 2].map((part) => rowsOf(all, part * hiddenSize, hiddenSize));
    return {
      inputNorm: await inputNorm(),
      query: query!,
      key: key!,
      value: value!,
      output: await output(),
      attentionOutputNorm: null,
      queryNorm: null,
      keyNorm: null,
      feedForwardNorm: await feedForwardNorm(),
      gate: null,
      up: await up(),
      down: await down(),
      feedForwardOutputNorm: null,
    };
  };
}

function convolution(
  source: TensorSource,
  name: string,
  outputs: number,
  inputs: number,
): Reader<LinearWeights> {
  const weight = checked(source, `${name}.weight`, [inputs, outputs]);
  const bias = checked(source, `${name}.bias`, [outputs]);
  return async () => ({
    weight: transposed(await weight(), inputs, outputs),
    bias: await bias(),
    outputs,
    inputs,
  });
}
