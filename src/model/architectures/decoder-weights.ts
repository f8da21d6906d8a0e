import type { Awaitable } from '../files/tensor-source';

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
  /** Of attention's input; null: there is none. */
  inputNorm: NormWeights | null;
  /** [H·d, D]. */
  query: LinearWeights;
  /** [G·d, D]. */
  key: LinearWeights;
  value: LinearWeights;
  /** [D, H·d]. */
  output: LinearWeights;
  /** Of attention's output, before it is added. */
  attentionOutputNorm: NormWeights | null;
  /** [d], on each head; or [H·d] and [G·d], on all channels. */
  queryNorm: NormWeights | null;
  keyNorm: NormWeights | null;
  /** Of the feed-forward block's input. */
  feedForwardNorm: NormWeights | null;
  /** [feedForwardSize, D]; null where the activation has no gate. */
  gate: LinearWeights | null;
  up: LinearWeights;
  /** [D, feedForwardSize]. */
  down: LinearWeights;
  feedForwardOutputNorm: NormWeights | null;
}

/**
 * The weights of a decoder in one form for all architectures, as float32. Each function reads from the source when it
 * is called, so that a caller who goes layer by layer holds one layer; only the embedding is kept, as it may be the
 * head too. Arrays may be views of the model's bytes: read only.
 */
export interface DecoderWeights {
  /** [V, D]. */
  embedding(): Awaitable<Float32Array>;
  /** Learned positions [trainedTokens, D], or null. */
  positions(): Awaitable<Float32Array | null>;
  layer(index: number): Awaitable<LayerWeights>;
  finalNorm(): Awaitable<NormWeights>;
  /** [V, D]; the same array as the embedding where they are tied. */
  head(): Awaitable<Float32Array>;
}

/** Weights as an architecture lays them out. */
export interface Layout extends DecoderWeights {
  /** Whether head and embedding are one in fact, whatever config.json says. */
  isTied: boolean;
  /** What the head's tensor is called, should it not be the embedding; `lm_head.weight` by default. */
  headName?: string;
}
