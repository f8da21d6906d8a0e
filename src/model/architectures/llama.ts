import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import type { LayerWeights, Layout } from './decoder-weights';
import { HEAD_NAME, isHeadTied } from './head';
import { checked, kept, linear, norm, prefixOf, type Reader, together } from './tensors';

/** Weights under the names of transformers' Llama, Qwen2 and Qwen3. */
export async function llamaLayout(source: TensorSource, config: ModelConfig): Promise<Layout> {
  const { hiddenSize, vocabularySize } = config;
  const prefix = prefixOf(source, 'model.', 'embed_tokens.weight');
  const embedding = kept(checked(source, `${prefix}embed_tokens.weight`, [vocabularySize, hiddenSize]));
  const layers = Array.from({ length: config.layers }, (_, index) =>
    layer(source, config, `${prefix}layers.${index}`),
  );
  const finalNorm = norm(source, `${prefix}norm`, hiddenSize, false);
  const isTied = await isHeadTied(source, config, `${prefix}embed_tokens.weight`);
  const head = isTied ? embedding : checked(source, HEAD_NAME, [vocabularySize, hiddenSize]);
  return {
    embedding,
    positions: async () => null,
    layer: (index) => layers[index]!(),
    finalNorm,
    head,
    isTied,
  };
}

function layer(source: TensorSource, config: ModelConfig, name: string): Reader<LayerWeights> {
  const { hiddenSize, headDimension, feedForwardSize, biases } = config;
  const queryChannels = config.queryHeads * headDimension;
  const keyChannels = config.keyValueHeads * headDimension;
  const attention = `${name}.self_attn`;
  const feedForward = `${name}.mlp`;
  const headNorm = (part: string) =>
    config.queryKeyNorm ? norm(source, `${attention}.${part}`, headDimension, false) : async () => null;
  return together<LayerWeights>({
    inputNorm: norm(source, `${name}.input_layernorm`, hiddenSize, false),
    query: linear(source, `${attention}.q_proj`, queryChannels, hiddenSize, biases.queryKeyValue),
    key: linear(source, `${attention}.k_proj`, keyChannels, hiddenSize, biases.queryKeyValue),
    value: linear(source, `${attention}.v_proj`, keyChannels, hiddenSize, biases.queryKeyValue),
    output: linear(source, `${attention}.o_proj`, hiddenSize, queryChannels, biases.attentionOutput),
    queryNorm: headNorm('q_norm'),
    keyNorm: headNorm('k_norm'),
    postNorm: norm(source, `${name}.post_attention_layernorm`, hiddenSize, false),
    gate: linear(source, `${feedForward}.gate_proj`, feedForwardSize, hiddenSize, biases.feedForward),
    up: linear(source, `${feedForward}.up_proj`, feedForwardSize, hiddenSize, biases.feedForward),
    down: linear(source, `${feedForward}.down_proj`, hiddenSize, feedForwardSize, biases.feedForward),
  });
}
