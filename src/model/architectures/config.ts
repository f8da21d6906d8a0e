import type { ScoreRule } from '../../../gpu/ops';
import type { HalfType } from '../../../gpu/rows';
import type { Rope } from '../decoder/rope';

/** What a decoder is, whatever its config.json calls things. Plain data: it can be posted to a worker. */
export interface ModelConfig {
  /** The id of the rule that read it, which knows how its weights are named; nothing else goes by it. */
  architecture: string;
  layers: number;
  /** D, channels of the residual stream. */
  hiddenSize: number;
  /** H. */
  queryHeads: number;
  /** G; divides H. */
  keyValueHeads: number;
  /** d, channels of one head. */
  headDimension: number;
  feedForwardSize: number;
  /** V. */
  vocabularySize: number;
  /** Tokens of context that the model declares: beyond them positions were never trained. */
  trainedTokens: number;
  normalization: { kind: 'rms' | 'layer'; epsilon: number };
  /** What norms stand at: attention's and the feed-forward block's input, their output before it is added, or both. Input by default. */
  normsAt?: 'input' | 'output' | 'both';
  /** The feed-forward block sees what the layer began with, not what attention made of it. */
  isParallel?: boolean;
  /** `silu-gate`: silu(gate) · up, then down; `gelu-tanh-gate` likewise; the others have no gate. */
  activation: 'silu-gate' | 'gelu-tanh-gate' | 'gelu-tanh' | 'gelu';
  /** Rotary positions; null where positions are learned, or there are none. */
  rope: Rope | null;
  /** By layer, where they differ; null: a layer without positions. Then `rope` is that of layers with full attention. */
  layerRopes?: readonly (Rope | null)[];
  /** By layer: each query sees the last so many tokens, its own included; null: all before it. Absent: all layers see all. */
  windows?: readonly (number | null)[];
  learnedPositions: boolean;
  /** What matrices and tables are kept in; absent: floats of 32 bits. */
  weightType?: HalfType;
  biases: { queryKeyValue: boolean; attentionOutput: boolean; feedForward: boolean };
  /** Queries and keys are normalized: each head, or all channels together. */
  queryKeyNorm: false | 'heads' | 'all';
  /** As config.json says; the files may hold a head of their own all the same (FoundWeights.isTied). */
  tiedHead: boolean;
  /** Multiplies q·k. */
  attentionScale: number;
  /** c of scores c·tanh(q·k·scale/c); none by default. */
  softCap?: number;
  /** The same of logits. */
  logitSoftCap?: number;
  /** Multiply embeddings, what a block adds to the residual stream, and logits; 1 by default. */
  embeddingScale?: number;
  residualScale?: number;
  logitScale?: number;
  /** Token ids outside the vocabulary are left out. */
  bosToken: number | null;
  eosTokens: number[];
}

/** Rotary positions of a layer; null: it has none. */
export function ropeOf(
  { rope, layerRopes }: Pick<ModelConfig, 'rope' | 'layerRopes'>,
  layer: number,
): Rope | null {
  return layerRopes ? layerRopes[layer]! : rope;
}

/** Tokens that a query of a layer sees, its own included; undefined: all before it. */
export function windowOf({ windows }: Pick<ModelConfig, 'windows'>, layer: number): number | undefined {
  return windows?.[layer] ?? undefined;
}

/** The rotary positions that layers have, each once. */
export function ropesIn({ rope, layerRopes }: Pick<ModelConfig, 'rope' | 'layerRopes'>): readonly Rope[] {
  return [...new Set(layerRopes ?? [rope])].filter((of) => of !== null);
}

/** Whether the feed-forward block multiplies by a gate. */
export function hasGate({ activation }: Pick<ModelConfig, 'activation'>): boolean {
  return activation === 'silu-gate' || activation === 'gelu-tanh-gate';
}

/** What makes scores of queries and keys. */
export function scoresOf({
  attentionScale: scale,
  softCap,
}: Pick<ModelConfig, 'attentionScale' | 'softCap'>): ScoreRule {
  return { scale, softCap };
}

/** The same where it hides something from the last of `tokens`: a longer one is none. */
export function hidingWindow(
  config: Pick<ModelConfig, 'windows'>,
  layer: number,
  tokens: number,
): number | undefined {
  const window = windowOf(config, layer);
  return window !== undefined && window < tokens ? window : undefined;
}
