import type { ModelConfig } from '../../src/model/architectures/config';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { fileJson } from '../model/files';

/** The bundled model, whose weights are of 16 bits. */
export const bundled: ModelConfig = await parseConfig(fileJson('samples/model/config.json'));

const { weightType: _, ...ofFloats } = bundled;

/** The shape of SmolLM2-135M, weights in 32 bits. */
export const small135M: ModelConfig = {
  ...ofFloats,
  layers: 30,
  hiddenSize: 576,
  queryHeads: 9,
  keyValueHeads: 3,
  headDimension: 64,
  feedForwardSize: 1536,
  vocabularySize: 49_152,
  trainedTokens: 8192,
  attentionScale: 1 / 8,
};

/** The shape of Qwen2.5-0.5B, whose table of tokens is larger than a binding. */
export const half500M: ModelConfig = {
  ...small135M,
  layers: 24,
  hiddenSize: 896,
  queryHeads: 14,
  keyValueHeads: 2,
  feedForwardSize: 4864,
  vocabularySize: 151_936,
  trainedTokens: 32_768,
  biases: { queryKeyValue: true, attentionOutput: false, feedForward: false },
};
