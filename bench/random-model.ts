import type { ModelConfig } from '../src/model/architectures/config';
import type { DecoderWeights, LinearWeights, NormWeights } from '../src/model/architectures/decoder-weights';
import { randomFloats } from './random';

/** Llama's architecture, rotary positions, no biases, head and embedding tied. */
export function llamaConfig(
  shape: Pick<
    ModelConfig,
    | 'layers'
    | 'hiddenSize'
    | 'queryHeads'
    | 'keyValueHeads'
    | 'headDimension'
    | 'feedForwardSize'
    | 'vocabularySize'
    | 'trainedTokens'
  >,
): ModelConfig {
  return {
    ...shape,
    architecture: 'llama',
    normalization: { kind: 'rms', epsilon: 1e-5 },
    activation: 'silu-gate',
    rope: { kind: 'default', theta: 10_000 },
    learnedPositions: false,
    biases: { queryKeyValue: false, attentionOutput: false, feedForward: false },
    queryKeyNorm: false,
    tiedHead: true,
    attentionScale: 1 / Math.sqrt(shape.headDimension),
    bosToken: null,
    eosTokens: [],
  };
}

/** Weights without any meaning, made layer by layer, that keep activations in range. */
export function randomWeights(config: ModelConfig): DecoderWeights {
  const { hiddenSize: D, queryHeads: H, keyValueHeads: G, headDimension: d, feedForwardSize: F } = config;
  let seed = 1;
  const uniform = (length: number, scale: number): Float32Array => {
    const values = randomFloats(length, seed++);
    for (let i = 0; i < length; i++) values[i]! *= scale;
    return values;
  };
  const linear = (outputs: number, inputs: number): LinearWeights => ({
    weight: uniform(outputs * inputs, Math.sqrt(3 / inputs)),
    bias: null,
    outputs,
    inputs,
  });
  const norm = (): NormWeights => ({ weight: new Float32Array(D).fill(1), bias: null });
  const embedding = uniform(config.vocabularySize * D, 1);
  return {
    embedding: () => embedding,
    positions: () => null,
    layer: () => ({
      inputNorm: norm(),
      query: linear(H * d, D),
      key: linear(G * d, D),
      value: linear(G * d, D),
      output: linear(D, H * d),
      attentionOutputNorm: null,
      queryNorm: null,
      keyNorm: null,
      feedForwardNorm: norm(),
      gate: linear(F, D),
      up: linear(F, D),
      down: linear(D, F),
      feedForwardOutputNorm: null,
    }),
    finalNorm: norm,
    head: () => embedding,
  };
}
