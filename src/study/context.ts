/** What parameter defaults and limits depend on, before and after the engine has said it. */
import config from '../../samples/model/config.json';
import type { ParameterContext } from '../methods/parameters';
import type { ModelFacts, TextFacts } from './facts';
import type { SourceSpec } from './spec';

/** Of the bundled model, so that controls and links can be read before anything is loaded. */
export const bundledModelFacts = {
  layers: config.num_hidden_layers,
  queryHeads: config.num_attention_heads,
  keyValueHeads: config.num_key_value_heads,
  headDimension: config.head_dim,
  trainedTokens: config.max_position_embeddings,
} as const;

/** Characters a token stands for, roughly, until the tokenizer has counted. */
const CHARACTERS_PER_TOKEN = 4;

/**
 * A task has the length that was asked for; other texts have what the tokenizer counted, and until then an estimate.
 */
export function parameterContext(
  source: SourceSpec,
  model: ModelFacts | null,
  text: TextFacts | null,
): ParameterContext {
  return { tokens: tokensOf(source, text), ...modelPart(model) };
}

function modelPart(model: ModelFacts | null): Omit<ParameterContext, 'tokens'> {
  const { layers, queryHeads, keyValueHeads, headDimension, trainedTokens } = model ?? bundledModelFacts;
  return { layers, queryHeads, keyValueHeads, headDimension, trainedTokens };
}

function tokensOf(source: SourceSpec, text: TextFacts | null): number {
  if (source.kind === 'task') return source.tokens;
  if (text) return text.tokens;
  if (source.kind === 'sample') return source.tokens ?? 1024;
  return Math.max(2, Math.ceil(source.text.length / CHARACTERS_PER_TOKEN));
}
