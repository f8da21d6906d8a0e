/**
 * What measuring and methods need of the device's memory beside weights and caches: the largest that they ask for at once, as
 * src/measure and src/methods cut their work.
 */
import type { MemoryLimits } from '../../../gpu/ops';
import { logitRows } from '../../measure/logits';
import { MOST_BYTES_UNDER_WAY, MOST_WEIGHTS } from '../../measure/measure-layers';
import { MEMO_BYTES } from '../../measure/memo';
import { MOST_SCORES } from '../../measure/selector-recall';
import { MOST_SUMS } from '../../measure/sweep-mass';
import type { Method } from '../../methods/method';
import { choiceOf, numberIn, type Parameters } from '../../methods/parameters';
import type { ModelConfig } from '../../model/architectures/config';
import { ROTATED_LAYERS } from '../../trace/from-decoder';
import type { PlannedBuffer } from './buffers';

export interface WorkingSize {
  readonly limits: MemoryLimits;
  readonly config: ModelConfig;
  readonly method: Method;
  readonly parameters: Parameters;
  readonly tokens: number;
  readonly queries: number;
  /** The method's largest block. */
  readonly largestBlock: number;
}

/** Into so many buffers go, about, the numbers that are on their way off the device. */
const COPIES = 16;

/** Rotated queries and keys of the open text. */
export function rotatedSlots(config: ModelConfig, tokens: number): PlannedBuffer[] {
  if (!config.rope) return [];
  const { queryHeads, keyValueHeads, headDimension } = config;
  return [
    {
      label: 'rotated queries',
      elements: tokens * queryHeads * headDimension,
      count: Math.min(ROTATED_LAYERS, config.layers),
    },
    {
      label: 'rotated keys',
      elements: tokens * keyValueHeads * headDimension,
      count: Math.min(ROTATED_LAYERS, config.layers),
    },
  ];
}

/** The probe run or the sweep, whichever takes more; what the open text remembers on top. */
export function measuringBuffers(size: WorkingSize): PlannedBuffer[] {
  const { config, tokens, queries } = size;
  const { layers, queryHeads: H, keyValueHeads: G, headDimension: d, hiddenSize: D } = config;
  const rows = Math.min(queries, Math.max(1, Math.floor(MOST_WEIGHTS / (H * tokens))));
  const scored = scoredByQuery(size);
  // Outputs, before and after W_O, and the most attended keys, of all layers as long as they are few.
  const underWay = Math.min(
    MOST_BYTES_UNDER_WAY / 4,
    layers * queries * (H * (3 * (d + 1) + Math.ceil(tokens / 4)) + 2 * D),
  );
  const probing = [
    { label: 'scores by query', elements: scored * tokens, count: 2 },
    one('attention weights', H * rows * tokens),
    one('most attended keys', H * rows * tokens),
    { label: 'attention outputs', elements: H * rows * (d + 1), count: 3 },
    { label: 'outputs of all heads', elements: rows * H * d, count: 2 },
    { label: 'projected outputs', elements: rows * D, count: 2 },
    { label: 'copies under way', elements: Math.ceil(underWay / COPIES), count: COPIES },
  ];
  const sweeping = [
    one('classes of keys', 5 * G * tokens),
    { label: 'mass by class and its copy', elements: Math.min(MOST_SUMS, 5 * H * queries * 13), count: 2 },
    one('mass by class of shares', Math.min(MOST_SUMS, 13 * size.limits.temporaryRows)),
  ];
  const sum = (buffers: readonly PlannedBuffer[]): number =>
    buffers.reduce((total, { elements, count }) => total + elements * count, 0);
  return [
    ...(sum(probing) > sum(sweeping) ? probing : sweeping),
    ...methodBuffers(size),
    ...rememberedBuffers(size),
  ];
}

/** Queries whose every score ESA compares with the exact ones at once: src/measure/selector-recall.ts. */
function scoredByQuery({ method, parameters, tokens, queries, largestBlock }: WorkingSize): number {
  if (method.id !== 'esa' || choiceOf(parameters, 'projection') === 'exact') return 0;
  return Math.min(queries, largestBlock, Math.max(1, Math.floor(MOST_SCORES / tokens)));
}

/** What the open text remembers for the next parameters. */
export function rememberedBuffers({
  config,
  tokens,
}: Pick<WorkingSize, 'config' | 'tokens'>): PlannedBuffer[] {
  const { layers, keyValueHeads } = config;
  return [one('remembered scores', Math.min(MEMO_BYTES / 4, 4 * layers * keyValueHeads * tokens))];
}

/** What a run of the method holds, all layers, and what it needs for a block. */
export function methodBuffers({
  config,
  method,
  parameters,
  tokens,
  largestBlock: n,
}: WorkingSize): PlannedBuffer[] {
  const { layers, queryHeads: H, keyValueHeads: G, headDimension: d } = config;
  if (method.family === 'dense') return [];
  const lists = [
    { label: 'scores', elements: 2 * G * tokens, count: method.family === 'reselect' ? 1 : layers },
    { label: 'kept keys', elements: G * tokens, count: method.family === 'reselect' ? 1 : layers },
  ];
  if (method.id !== 'esa') return [...lists, ...inCache(config, parameters, tokens, n)];
  const isExact = choiceOf(parameters, 'projection') === 'exact';
  const channels = isExact
    ? 0
    : Math.max(...Array.from({ length: layers }, (_, layer) => numberIn(parameters, 'compressedDim', layer)));
  return [
    ...lists,
    { label: 'compressed keys', elements: channels * tokens, count: isExact ? 0 : layers },
    { label: 'projections', elements: channels * G * d, count: isExact ? 0 : 2 * layers },
    { label: 'attention to far tokens', elements: n * H * d, count: 3 },
    one('folded queries', 2 * n * G * d),
  ];
}

/** Lists of all layers that wait to be read with a generated token, and their copies (answer-selections.ts). */
export function answerBuffers({ config, method, tokens }: WorkingSize): PlannedBuffer[] {
  const { layers, keyValueHeads: G } = config;
  if (method.family === 'dense') return [];
  // Lists of methods that evict stay with their run, and are counted there.
  const own = method.family === 'reselect' ? layers : 0;
  return [{ label: 'kept keys of a token and their copies', elements: G * tokens, count: own + layers }];
}

/** Keys and values of a layer moved together, for positions in the cache. */
function inCache(config: ModelConfig, parameters: Parameters, tokens: number, n: number): PlannedBuffer[] {
  const { queryHeads: H, keyValueHeads: G, headDimension: d, rope } = config;
  if (!rope || parameters.positions !== 'cache') return [];
  return [
    { label: 'keys and values in the cache', elements: tokens * G * d, count: 2 },
    one('queries after the cache', n * H * d),
  ];
}

/** What attention that is shared out among many threads holds until their results are merged. */
export function temporaryBuffers(
  { headDimension }: ModelConfig,
  { temporaryRows }: MemoryLimits,
): PlannedBuffer[] {
  return [one('intermediate results', temporaryRows * (headDimension + 2))];
}

/** Logits of both runs, and their copies. */
export function comparingBuffers(config: ModelConfig, queries: number): PlannedBuffer[] {
  const rows = Math.min(queries, logitRows(config.vocabularySize));
  return [
    one('states of queries', rows * config.hiddenSize),
    { label: 'logits and their copy', elements: rows * config.vocabularySize, count: 2 },
  ];
}

function one(label: string, elements: number): PlannedBuffer {
  return { label, elements, count: 1 };
}
