/** The device buffers of a model and of a reading, by name and size, without making any. */
import type { MemoryLimits } from '../../../gpu/ops';
import { wordsOf } from '../../../gpu/rows';
import type { PlannedBuffer } from '../../base/planned-buffer';
import { hasGate, type ModelConfig, ropesIn } from '../../model/architectures/config';
import { LEAST_POSITIONS } from '../../model/decoder/buffers';
import { rowsOfParts } from '../../model/decoder/device-table';

export function plannedBytes(buffers: readonly PlannedBuffer[], limits: MemoryLimits): number {
  return buffers.reduce((sum, { elements, count }) => sum + count * limits.storageBytes(elements), 0);
}

/** Everything that src/model/decoder/buffers.ts uploads. */
export function weightBuffers(config: ModelConfig, limits: MemoryLimits): PlannedBuffer[] {
  const { layers, hiddenSize: D, feedForwardSize: F, vocabularySize: V, biases } = config;
  const { queryHeads: H, keyValueHeads: G, headDimension: d } = config;
  const weightType = config.weightType ?? 'f32';
  const table = (rows: number, label: string): PlannedBuffer[] => {
    const parts = rowsOfParts(rows, D, limits.bufferBytes, weightType);
    const padding = parts.length > 1 ? 1 : 0;
    return parts.map((part) => ({ label, elements: wordsOf(weightType, (part + padding) * D), count: 1 }));
  };
  const linear = (outputs: number, inputs: number, hasBias: boolean, label: string): PlannedBuffer[] => [
    { label, elements: wordsOf(weightType, outputs * inputs), count: layers },
    ...(hasBias ? [{ label: `${label} bias`, elements: outputs, count: layers }] : []),
  ];
  const normArrays = config.normalization.kind === 'layer' ? 2 : 1;
  const normsOfLayer = config.normsAt === 'both' ? 4 : 2;
  const norms = { label: 'norms', elements: D, count: normArrays * (normsOfLayer * layers + 1) };
  return [
    ...table(V, 'embedding'),
    ...(config.tiedHead ? [] : table(V, 'head')),
    ...(config.learnedPositions ? table(config.trainedTokens, 'positions') : []),
    norms,
    ...linear(H * d, D, biases.queryKeyValue, 'query weights'),
    ...linear(G * d, D, biases.queryKeyValue, 'key weights'),
    ...linear(G * d, D, biases.queryKeyValue, 'value weights'),
    ...linear(D, H * d, biases.attentionOutput, 'attention output weights'),
    ...normsOfHeads(config),
    ...(hasGate(config) ? linear(F, D, biases.feedForward, 'gate weights') : []),
    ...linear(F, D, biases.feedForward, 'up weights'),
    ...linear(D, F, biases.feedForward, 'down weights'),
  ];
}

function normsOfHeads({ layers, queryKeyNorm, ...config }: ModelConfig): PlannedBuffer[] {
  const { queryHeads, keyValueHeads, headDimension: d } = config;
  if (!queryKeyNorm) return [];
  if (queryKeyNorm === 'heads') return [{ label: 'query and key norms', elements: d, count: 2 * layers }];
  return [
    { label: 'query norms', elements: queryHeads * d, count: layers },
    { label: 'key norms', elements: keyValueHeads * d, count: layers },
  ];
}

/** What a reader keeps of a text of `capacity` tokens. */
export function cacheBuffers(
  config: ModelConfig,
  capacity: number,
  { keepQueries, keepHidden }: { readonly keepQueries: boolean; readonly keepHidden: boolean },
): PlannedBuffer[] {
  const { layers, queryHeads: H, keyValueHeads: G, headDimension: d, hiddenSize: D } = config;
  const positions = Math.max(capacity, LEAST_POSITIONS) + 1;
  return [
    ...ropesIn(config).map(({ rotatedChannels: r = d }) => ({
      ...{ label: 'rotation', elements: (positions * r) / 2, count: 2 },
    })),
    { label: 'keys', elements: capacity * G * d, count: layers },
    { label: 'values', elements: capacity * G * d, count: layers },
    ...(keepQueries
      ? [
          { label: 'queries', elements: capacity * H * d, count: layers },
          { label: 'log-sum-exp', elements: capacity * H, count: layers },
        ]
      : []),
    ...(keepHidden ? [{ label: 'hidden states of every layer', elements: capacity * D, count: layers }] : []),
  ];
}

export interface ReadingSize {
  readonly capacity: number;
  readonly largestBlock: number;
  readonly mostAtOnce: number;
  readonly queries: number;
  readonly keepQueries: boolean;
  readonly rotatedLayers: number;
  /** Whether the method asks for full attention's log-sum-exp first. */
  readonly needsFullAttention: boolean;
}

/** What a reading needs beside its caches, from the first block to the last. */
export function readingBuffers(
  config: ModelConfig,
  limits: MemoryLimits,
  size: ReadingSize,
): PlannedBuffer[] {
  const { queryHeads: H, keyValueHeads: G, headDimension: d, hiddenSize: D, feedForwardSize: F } = config;
  const { capacity, largestBlock, mostAtOnce: n, queries } = size;
  const one = (label: string, elements: number): PlannedBuffer => ({ label, elements, count: 1 });
  const parts = (rows: number): number => rowsOfParts(rows, D, limits.bufferBytes, config.weightType).length;
  const isRotary = ropesIn(config).length > 0;
  return [
    ...(isRotary ? [{ label: 'rotated keys', elements: capacity * G * d, count: size.rotatedLayers }] : []),
    one('token ids', n * parts(config.vocabularySize)),
    ...(config.learnedPositions ? [one('token positions', n * parts(config.trainedTokens))] : []),
    { label: 'hidden states', elements: n * D, count: 2 },
    one('attention output', n * H * d),
    ...(size.keepQueries ? [] : [one('block queries', n * H * d)]),
    ...(isRotary ? [one('rotated block queries', n * H * d)] : []),
    { label: 'feed-forward', elements: n * F, count: hasGate(config) ? 2 : 1 },
    one('states of queries', queries * D),
    one('next token', 1),
    one('next logits', config.vocabularySize),
    one('block log-sum-exp', largestBlock * H),
    ...(size.needsFullAttention ? [one('full attention', largestBlock * H * (d + 1))] : []),
  ];
}
