/** A model, checked and on the device. */
import type { Ops } from '../../gpu/ops';
import { hasGate, type ModelConfig } from '../model/architectures/config';
import { readWeights } from '../model/architectures/weights';
import type { Calibration } from '../model/calibration';
import type { Decoder } from '../model/decoder/decoder';
import { createDecoder } from '../model/decoder/decoder';
import type { ModelFolder, ModelHead } from '../model/load';
import { loadModel } from '../model/load';
import type { ChatTemplateFile } from '../model/tokenizer/chat-template';
import type { Tokenizer } from '../model/tokenizer/tokenizer';
import type { ModelFacts } from '../study/facts';
import { plannedBytes, weightBuffers } from './memory/buffers';
import { checkWeightsFit } from './memory/plan';

export interface OpenModel {
  readonly facts: ModelFacts;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer | null;
  /** Why there is no tokenizer, in a sentence; empty where there is one. */
  readonly noTokenizer: string;
  readonly chatTemplate: ChatTemplateFile | null;
  readonly calibration: Calibration | null;
  readonly decoder: Decoder;
  /** Of one token's forward pass outside attention: two per weight of every matrix it is multiplied with. */
  readonly weightOperations: number;
  /** What its files said about it that has to be known, one sentence each. */
  readonly notices: readonly string[];
}

export interface OpenModelOptions {
  /** Hears what share of the weights is on the device. */
  readonly onProgress?: (fraction: number) => void;
  /** Called where the device has room for the weights only without what it holds now. */
  readonly makeRoom?: () => void;
  /** Hears all but the weights before a byte of them is fetched; what it throws ends the opening. */
  readonly beforeWeights?: (head: ModelHead) => void | Promise<void>;
  /** Ends the opening, between two layers at the latest. */
  readonly signal?: AbortSignal;
}

/**
 * Loads a model folder onto a device. Throws UserError for anything that is wrong with the files, and, before the weights are
 * fetched, for weights that the device has no room for; the signal's reason when it was ended.
 */
export async function openModel(
  ops: Ops,
  folder: ModelFolder,
  { onProgress, makeRoom, beforeWeights, signal }: OpenModelOptions = {},
): Promise<OpenModel> {
  const { memoryLimits } = ops;
  const loaded = await loadModel(folder, {
    signal,
    limitBytes: memoryLimits.budgetBytes,
    beforeWeights(head) {
      // Only the files say for certain what they hold: refused is what would not fit in 16 bits either.
      checkWeightsFit(
        asKept(ops, { ...head.config, weightType: head.config.weightType ?? 'f16' }),
        memoryLimits,
      );
      return beforeWeights?.(head);
    },
  });
  signal?.throwIfAborted();
  const weights = await readWeights(loaded.source, loaded.config);
  const { isTied: tiedHead, weightType } = weights;
  const config = asKept(ops, { ...loaded.config, tiedHead, weightType });
  checkWeightsFit(config, memoryLimits);
  const needed = plannedBytes(weightBuffers(config, memoryLimits), memoryLimits);
  if (ops.memory().bytes + needed > memoryLimits.budgetBytes) makeRoom?.();
  const decoder = await createDecoder(ops, config, weights, (layers) => {
    signal?.throwIfAborted();
    onProgress?.(layers / config.layers);
  });
  const parameterCount = loaded.source
    .names()
    .reduce((sum, name) => sum + loaded.source.shape(name).reduce((product, size) => product * size, 1), 0);
  return {
    config,
    decoder,
    tokenizer: loaded.tokenizer,
    noTokenizer: loaded.noTokenizer,
    chatTemplate: loaded.chatTemplate,
    calibration: loaded.calibration,
    weightOperations: 2 * matrixWeights(config),
    notices: weights.notices,
    facts: {
      name: loaded.name,
      digest: await loaded.digest,
      layers: config.layers,
      queryHeads: config.queryHeads,
      keyValueHeads: config.keyValueHeads,
      headDimension: config.headDimension,
      vocabularySize: config.vocabularySize,
      trainedTokens: config.trainedTokens,
      ...(loaded.chatTemplate && { hasChatTemplate: true }),
      parameterCount,
    },
  };
}

/** A share of the memory from which on weights of 32 bits are too much, where those of 16 take more time. */
const LARGE_SHARE = 1 / 4;

/**
 * The config with what its weights are kept in: halves as they are stored on a device that reads them at no loss of time, and where
 * floats would take much of its memory. Rows must be whole vectors of four, as they are in all but toys.
 */
export function asKept(
  { readsHalves, memoryLimits }: Pick<Ops, 'readsHalves' | 'memoryLimits'>,
  { weightType, ...config }: ModelConfig,
): ModelConfig {
  const { hiddenSize, feedForwardSize, headDimension } = config;
  const areVectors = [hiddenSize, feedForwardSize, headDimension].every((size) => size % 4 === 0);
  if (!weightType || !areVectors) return config;
  const asFloats = plannedBytes(weightBuffers(config, memoryLimits), memoryLimits);
  return readsHalves || asFloats > LARGE_SHARE * memoryLimits.budgetBytes
    ? { ...config, weightType }
    : config;
}

/** Weights of all matrices that a token is multiplied with; the embedding is looked up, the head multiplied. */
function matrixWeights(config: ModelConfig): number {
  const { layers, hiddenSize: D, queryHeads: H, keyValueHeads: G, headDimension: d } = config;
  const attention = D * (2 * H * d + 2 * G * d);
  const feedForward = D * config.feedForwardSize * (hasGate(config) ? 3 : 2);
  return layers * (attention + feedForward) + D * config.vocabularySize;
}
