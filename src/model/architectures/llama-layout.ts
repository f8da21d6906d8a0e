import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import type { LayerWeights, Layout, LinearWeights, NormWeights } from './decoder-weights';
import { HEAD_NAME, isHeadTied } from './head';
import { checked, kept, linear, norm, prefixOf, type Reader, together } from './tensors';

/** Where tensors of Llama's names are, but for what an architecture calls otherwise. */
export interface LlamaNames {
  /** Before all names but the head's; 'model.' by default. */
  readonly root?: string;
  /** Norms before and behind attention and the feed-forward block; null: there is none. */
  readonly norms?: Readonly<
    Record<'input' | 'attentionOutput' | 'feedForward' | 'feedForwardOutput', string | null>
  >;
  /** Norms multiply by 1 + weight. */
  readonly normsAreOffsets?: boolean;
  /** The query, key and value maps; three tensors by default. */
  readonly queryKeyValue?: (
    parts: LayerParts,
  ) => Reader<readonly [LinearWeights, LinearWeights, LinearWeights]>;
  /** The gate and up maps; two tensors by default. */
  readonly gateAndUp?: (parts: LayerParts) => Reader<readonly [LinearWeights, LinearWeights]>;
}

interface LayerParts {
  readonly source: TensorSource;
  readonly config: ModelConfig;
  /** Of the layer. */
  readonly name: string;
}

/** Of Llama: a norm before each block, the second of which carries the first's name. */
const NORMS_AT_INPUT = {
  ...{ input: 'input_layernorm', attentionOutput: null },
  ...{ feedForward: 'post_attention_layernorm', feedForwardOutput: null },
};

/** Weights under the names of transformers' Llama, or of those that differ by `names`. */
export async function llamaLayout(
  source: TensorSource,
  config: ModelConfig,
  names: LlamaNames = {},
): Promise<Layout> {
  const { hiddenSize, vocabularySize } = config;
  const prefix = prefixOf(source, names.root ?? 'model.', 'embed_tokens.weight');
  const embedding = kept(checked(source, `${prefix}embed_tokens.weight`, [vocabularySize, hiddenSize]));
  const layers = Array.from({ length: config.layers }, (_, index) =>
    layer({ source, config, name: `${prefix}layers.${index}` }, names),
  );
  const finalNorm = normOf(source, `${prefix}norm`, hiddenSize, names);
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

function layer(parts: LayerParts, names: LlamaNames): Reader<LayerWeights> {
  const { source, config, name } = parts;
  const { hiddenSize, headDimension, feedForwardSize, biases, queryKeyNorm } = config;
  const queryChannels = config.queryHeads * headDimension;
  const keyChannels = config.keyValueHeads * headDimension;
  const attention = `${name}.self_attn`;
  const norms = names.norms ?? NORMS_AT_INPUT;
  const normAt = (place: string | null): Reader<NormWeights | null> =>
    place === null ? async () => null : normOf(source, `${name}.${place}`, hiddenSize, names);
  const headNorm = (part: string, channels: number): Reader<NormWeights | null> =>
    queryKeyNorm
      ? normOf(source, `${attention}.${part}`, queryKeyNorm === 'all' ? channels : headDimension, names)
      : async () => null;
  const queryKeyValue = (names.queryKeyValue ?? threeMaps)(parts);
  const gateAndUp = (names.gateAndUp ?? twoMaps)(parts);
  const others = together<Omit<LayerWeights, 'query' | 'key' | 'value' | 'gate' | 'up'>>({
    inputNorm: normAt(norms.input),
    output: linear(source, `${attention}.o_proj`, hiddenSize, queryChannels, biases.attentionOutput),
    attentionOutputNorm: normAt(norms.attentionOutput),
    queryNorm: headNorm('q_norm', queryChannels),
    keyNorm: headNorm('k_norm', keyChannels),
    feedForwardNorm: normAt(norms.feedForward),
    down: linear(source, `${name}.mlp.down_proj`, hiddenSize, feedForwardSize, biases.feedForward),
    feedForwardOutputNorm: normAt(norms.feedForwardOutput),
  });
  return async () => {
    const [query, key, value] = await queryKeyValue();
    const [gate, up] = await gateAndUp();
    return { ...(await others()), query, key, value, gate, up };
  };
}

function threeMaps({
  source,
  config,
  name,
}: LayerParts): ReturnType<NonNullable<LlamaNames['queryKeyValue']>> {
  const { hiddenSize, headDimension: d, biases } = config;
  const map = (part: string, heads: number): Reader<LinearWeights> =>
    linear(source, `${name}.self_attn.${part}`, heads * d, hiddenSize, biases.queryKeyValue);
  const query = map('q_proj', config.queryHeads);
  const [key, value] = [map('k_proj', config.keyValueHeads), map('v_proj', config.keyValueHeads)];
  return async () => [await query(), await key(), await value()];
}

function twoMaps({ source, config, name }: LayerParts): ReturnType<NonNullable<LlamaNames['gateAndUp']>> {
  const { hiddenSize, feedForwardSize, biases } = config;
  const [gate, up] = ['gate_proj', 'up_proj'].map((part) =>
    linear(source, `${name}.mlp.${part}`, feedForwardSize, hiddenSize, biases.feedForward),
  );
  return async () => [await gate!(), await up!()];
}

function normOf(
  source: TensorSource,
  name: string,
  size: number,
  { normsAreOffsets = false }: LlamaNames,
): Reader<NormWeights> {
  const read = norm(source, name, size, false);
  if (!normsAreOffsets) return read;
  return async () => ({ weight: (await read()).weight.map((offset) => 1 + offset), bias: null });
}
