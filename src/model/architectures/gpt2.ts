import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import type { LayerWeights, Layout, LinearWeights } from './decoder-weights';
import { HEAD_NAME, isHeadTied } from './head';
import { checked, kept, norm, prefixOf, type Reader } from './tensors';

/** Weights under the names of transformers' GPT-2, whose linear maps (Conv1D) are stored as [inputs, outputs]. */
export async function gpt2Layout(source: TensorSource, config: ModelConfig): Promise<Layout> {
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
  const postNorm = norm(source, `${name}.ln_2`, hiddenSize, true);
  const up = convolution(source, `${name}.mlp.c_fc`, feedForwardSize, hiddenSize);
  const down = convolution(source, `${name}.mlp.c_proj`, hiddenSize, feedForwardSize);
  return async () => {
    const [query, key, value] = thirds(await attention());
    return {
      inputNorm: await inputNorm(),
      query: query!,
      key: key!,
      value: value!,
      output: await output(),
      queryNorm: null,
      keyNorm: null,
      postNorm: await postNorm(),
      gate: null,
      up: await up(),
      down: await down(),
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

/** [rows, columns] to [columns, rows]. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column]!;
  }
  return result;
}

/** c_attn makes q, k and v at once: its outputs, in this order. */
function thirds(all: LinearWeights): LinearWeights[] {
  const outputs = all.outputs / 3;
  return [0, 1, 2].map((part) => ({
    weight: all.weight.subarray(part * outputs * all.inputs, (part + 1) * outputs * all.inputs),
    bias: all.bias?.subarray(part * outputs, (part + 1) * outputs) ?? null,
    outputs,
    inputs: all.inputs,
  }));
}
