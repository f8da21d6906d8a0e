import type { ModelConfig } from './config';
import type { TensorSource } from './tensor-source';
import { gpt2Layout } from './weights-gpt2';
import { headName } from './weights-head';
import { llamaLayout } from './weights-llama';
import { unreadNotices, watchedSource } from './weights-unread';

/** A linear map: out = weight · in + bias, weight [outputs, inputs] row-major. */
export interface LinearWeights {
  weight: Float32Array;
  bias: Float32Array | null;
  outputs: number;
  inputs: number;
}

export interface NormWeights {
  weight: Float32Array;
  bias: Float32Array | null;
}

export interface LayerWeights {
  inputNorm: NormWeights;
  /** [H·d, D]. */
  query: LinearWeights;
  /** [G·d, D]. */
  key: LinearWeights;
  value: LinearWeights;
  /** [D, H·d]. */
  output: LinearWeights;
  /** [d], on each head. */
  queryNorm: NormWeights | null;
  keyNorm: NormWeights | null;
  postNorm: NormWeights;
  /** [feedForwardSize, D]; null where the activation has no gate. */
  gate: LinearWeights | null;
  up: LinearWeights;
  /** [D, feedForwardSize]. */
  down: LinearWeights;
}

/**
 * The weights of a decoder in one form for all architectures, as float32. Each function reads from the source when it
 * is called, so that a caller who goes layer by layer holds one layer; only the embedding is kept, as it may be the
 * head too. Arrays may be views of the model's bytes: read only.
 */
export interface DecoderWeights {
  /** [V, D]. */
  embedding(): Float32Array;
  /** Learned positions [trainedTokens, D], or null. */
  positions(): Float32Array | null;
  layer(index: number): LayerWeights;
  finalNorm(): NormWeights;
  /** [V, D]; the same array as the embedding where they are tied. */
  head(): Float32Array;
}

/** Weights as an architecture lays them out. */
export interface Layout extends DecoderWeights {
  /** Whether head and embedding are one in fact, whatever config.json says. */
  isTied: boolean;
}

/** Weights, and what is to be known of the files that they come from. */
export interface FoundWeights extends Layout {
  /** One sentence each. */
  notices: string[];
}

/**
 * Finds every weight that the config calls for and checks its shape, before any value is read. UserError, one sentence,
 * that names the first tensor that is missing or has another shape than expected.
 */
export function readWeights(source: TensorSource, config: ModelConfig): FoundWeights {
  const watched = watchedSource(source);
  const weights =
    config.architecture === 'gpt2' ? gpt2Layout(watched.source, config) : llamaLayout(watched.source, config);
  const notices = unreadNotices(watched.unread());
  if (config.tiedHead && !weights.isTied) {
    notices.unshift(
      `config.json says that the head is the embedding (tie_word_embeddings), but the files hold another ${headName}: that one is used.`,
    );
  }
  return { ...weights, notices };
}
