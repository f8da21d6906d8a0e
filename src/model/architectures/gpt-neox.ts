import * as z from 'zod/mini';
import { choice, count, range, truth } from '../files/schema';
import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import { allOrNone, check, epsilon, headSize, shared, specialTokens, tokens } from './config-parts';
import type { LayerWeights, Layout, LinearWeights } from './decoder-weights';
import { isHeadTied } from './head';
import { parseRope } from './rope-config';
import type { ArchitectureRule } from './rule';
import { checked, kept, linear, norm, prefixOf, type Reader } from './tensors';

const schema = z.object({
  ...shared,
  hidden_size: count(2 ** 17),
  intermediate_size: count(2 ** 20),
  num_hidden_layers: count(1024),
  num_attention_heads: count(1024),
  max_position_embeddings: z.nullish(tokens),
  layer_norm_eps: epsilon,
  hidden_act: z.nullish(choice(['gelu', 'gelu_new', 'gelu_fast', 'gelu_pytorch_tanh'])),
  use_parallel_residual: z.nullish(truth),
  attention_bias: z.nullish(truth),
  rotary_emb_base: z.nullish(range(1, 1e12)),
  rotary_pct: z.nullish(range(0, 1)),
});

/** Both blocks see what the layer began with; a quarter of the channels is rotated; layer norms and biases. */
export const gptNeoX: ArchitectureRule = {
  id: 'gpt_neox',
  names: ['gpt_neox'],
  read(settings) {
    const given = check(schema, settings);
    const headDimension = headSize(given.hidden_size, given.num_attention_heads);
    const trainedTokens = given.max_position_embeddings ?? 2048;
    const where = `config.json: ${settings.rope_scaling ? 'rope_scaling' : 'rope_parameters'}`;
    const surroundings = { headDimension, mayBePartial: true, trainedTokens, theta: given.rotary_emb_base };
    const partialRotaryFactor = given.rotary_pct ?? 0.25;
    const rope = settings.rope_scaling ?? settings.rope_parameters ?? {};
    return {
      architecture: 'gpt_neox',
      layers: given.num_hidden_layers,
      hiddenSize: given.hidden_size,
      queryHeads: given.num_attention_heads,
      keyValueHeads: given.num_attention_heads,
      headDimension,
      feedForwardSize: given.intermediate_size,
      vocabularySize: given.vocab_size,
      trainedTokens,
      normalization: { kind: 'layer', epsilon: given.layer_norm_eps ?? 1e-5 },
      activation: (given.hidden_act ?? 'gelu') === 'gelu' ? 'gelu' : 'gelu-tanh',
      isParallel: given.use_parallel_residual ?? true,
      rope: parseRope(rope, { ...surroundings, partialRotaryFactor }, where),
      learnedPositions: false,
      biases: { ...allOrNone(given.attention_bias ?? true), feedForward: true },
      queryKeyNorm: false,
      tiedHead: given.tie_word_embeddings ?? false,
      attentionScale: 1 / Math.sqrt(headDimension),
      ...specialTokens(settings, given, [0, 2]),
    };
  },
  layout,
};

async function layout(source: TensorSource, config: ModelConfig): Promise<Layout> {
  const { hiddenSize, vocabularySize } = config;
  const prefix = prefixOf(source, 'gpt_neox.', 'embed_in.weight');
  const embedding = kept(checked(source, `${prefix}embed_in.weight`, [vocabularySize, hiddenSize]));
  const layers = Array.from({ length: config.layers }, (_, index) =>
    layer(source, config, `${prefix}layers.${index}`),
  );
  const finalNorm = norm(source, `${prefix}final_layer_norm`, hiddenSize, true);
  const headName = 'embed_out.weight';
  const isTied = await isHeadTied(source, config, `${prefix}embed_in.weight`, headName);
  const head = isTied ? embedding : checked(source, headName, [vocabularySize, hiddenSize]);
  const positions = async (): Promise<null> => null;
  return { embedding, positions, layer: (index) => layers[index]!(), finalNorm, head, isTied, headName };
}

function layer(source: TensorSource, config: ModelConfig, name: string): Reader<LayerWeights> {
  const { hiddenSize, feedForwardSize, biases } = config;
  const inputNorm = norm(source, `${name}.input_layernorm`, hiddenSize, true);
  const fused = `${name}.attention.query_key_value`;
  const attention = linear(source, fused, 3 * hiddenSize, hiddenSize, biases.queryKeyValue);
  const output = linear(source, `${name}.attention.dense`, hiddenSize, hiddenSize, biases.attentionOutput);
  const feedForwardNorm = norm(source, `${name}.post_attention_layernorm`, hiddenSize, true);
  const up = linear(source, `${name}.mlp.dense_h_to_4h`, feedForwardSize, hiddenSize, true);
  const down = linear(source, `${name}.mlp.dense_4h_to_h`, hiddenSize, feedForwardSize, true);
  return async () => {
    const all = await attention();
    return {
      inputNorm: await inputNorm(),
      query: partOfHeads(all, 0, config),
      key: partOfHeads(all, 1, config),
      value: partOfHeads(all, 2, config),
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

/** Of a map whose outputs are each head's query, key and value, in this order: one of the three, of all heads. */
function partOfHeads(
  { weight, bias, inputs }: LinearWeights,
  part: number,
  { queryHeads, headDimension: d }: Pick<ModelConfig, 'queryHeads' | 'headDimension'>,
): LinearWeights {
  const outputs = queryHeads * d;
  const own = { weight: new Float32Array(outputs * inputs), bias: bias && new Float32Array(outputs) };
  for (let head = 0; head < queryHeads; head++) {
    const first = (3 * head + part) * d;
    own.weight.set(weight.subarray(first * inputs, (first + d) * inputs), head * d * inputs);
    if (bias) own.bias!.set(bias.subarray(first, first + d), head * d);
  }
  return { ...own, outputs, inputs };
}
