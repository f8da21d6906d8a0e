/**
 * What measuring and methods need of the device's memory beside weights and caches: the largest that they ask for at once, as
 * src/measure and src/methods cut their work.
 */
import type { MemoryLimits } from '../../../gpu/ops';
import { oneBuffer as one, type PlannedBuffer } from '../../base/planned-buffer';
import { logitRows } from '../../measure/logits';
import { MOST_BYTES_IN_FLIGHT, MOST_PROBABILITIES } from '../../measure/measure-layers';
import { MEMO_BYTES } from '../../measure/memo';
import { MOST_SCORES } from '../../measure/selector-recall';
import { MOST_SUMS } from '../../measure/sweep-mass';
import type { Method } from '../../methods/method';
import type { Parameters } from '../../methods/parameters';
import { type ModelConfig, ropesIn } from '../../model/architectures/config';
import { ROTATED_LAYERS } from '../../trace/from-decoder';

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

/** Into so many buffers go, about, the numbers being read back. */
const COPIES = 16;

/** Rotated queries and keys of the open text. */
export function rotatedSlots(config: ModelConfig, tokens: number): PlannedBuffer[] {
  if (ropesIn(config).length === 0) return [];
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
  const rows = Math.min(queries, Math.max(1, Math.floor(MOST_PROBABILITIES / (H * tokens))));
  const scored = scoredByQuery(size);
  // Outputs, before and after W_O, and the most attended keys, of all layers as long as they are few.
  const inFlight = Math.min(
    MOST_BYTES_IN_FLIGHT / 4,
    layers * queries * (H * (3 * (d + 1) + Math.ceil(tokens / 4)) + 2 * D),
  );
  const probing = [
    { label: 'scores by query', elements: scored * tokens, count: 2 },
    one('attention probabilities', H * rows * tokens),
    one('most attended keys', H * rows * tokens),
    { label: 'attention outputs', elements: H * rows * (d + 1), count: 3 },
    { label: 'outputs of all heads', elements: rows * H * d, count: 2 },
    { label: 'projected outputs', elements: rows * D, count: 2 },
    { label: 'copies in flight', elements: Math.ceil(inFlight / COPIES), count: COPIES },
  ];
  const sweeping = [
    one('groups of keys', 5 * G * tokens),
    { label: 'mass by group and its copy', elements: Math.min(MOST_SUMS, 5 * H * queries * 13), count: 2 },
    one('mass by group of shares', Math.min(MOST_SUMS, 13 * size.limits.temporaryRows)),
  ];
  const sum = (buffers: readonly PlannedBuffer[]): number =>
    buffers.reduce((total, { elements, count }) => total + elements * count, 0);
  return [
    ...(sum(probing) > sum(sweeping) ? probing : sweeping),
    ...madeAnew(size),
    ...methodBuffers(size, { isFreeRun: false }),
    ...rememberedBuffers(size),
  ];
}

/** Queries whose every score is compared with the exact ones at once: src/measure/selector-recall.ts. */
function scoredByQuery({ method, parameters, tokens, queries, largestBlock }: WorkingSize): number {
  if (!method.traits(parameters).approximates) return 0;
  return Math.min(queries, largestBlock, Math.max(1, Math.floor(MOST_SCORES / tokens)));
}

/** Keys and values that a run's own maps make: of the layer that is measured, and of one that a picture is asked for meanwhile. */
function madeAnew({ config, tokens, method, parameters }: RememberedSize): PlannedBuffer[] {
  if (method.traits(parameters).cache !== 'transformed') return [];
  const { layers, keyValueHeads: G, headDimension: d } = config;
  const count = Math.min(2, layers) * (ropesIn(config).length > 0 ? 3 : 2);
  return [{ label: 'keys and values made anew', elements: tokens * G * d, count }];
}

type RememberedSize = Pick<WorkingSize, 'config' | 'tokens' | 'method' | 'parameters'>;

/** What the open text remembers for the next parameters. */
export function rememberedBuffers(size: RememberedSize): PlannedBuffer[] {
  const { layers, keyValueHeads } = size.config;
  const ofLayer = madeAnew(size).reduce((sum, { elements, count }) => sum + elements * count, 0) / 2;
  const most = 4 * layers * keyValueHeads * size.tokens + layers * ofLayer;
  return [one('remembered scores', Math.min(MEMO_BYTES / 4, most))];
}

/** What a run of the method holds, all layers, and what it needs for a block. */
export function methodBuffers(
  { config, method, parameters, tokens, largestBlock }: WorkingSize,
  { isFreeRun }: { readonly isFreeRun: boolean },
): PlannedBuffer[] {
  const isRotary = ropesIn(config).length > 0;
  return method.memory(parameters, { ...config, tokens, largestBlock, isFreeRun, isRotary });
}

/** Lists of all layers that wait to be read with a generated token, and their copies (answer-selections.ts). */
export function answerBuffers({ config, method, parameters, tokens }: WorkingSize): PlannedBuffer[] {
  const { layers, keyValueHeads, queryHeads } = config;
  const { decides, evicts, sets } = method.traits(parameters);
  if (decides === 'never') return [];
  // Lists of methods that evict stay with their run, and are counted there.
  const own = evicts ? 0 : layers;
  const lists = { layer: 1, kvHead: keyValueHeads, queryHead: queryHeads }[sets];
  return [{ label: 'kept keys of a token and their copies', elements: lists * tokens, count: own + layers }];
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
    ...(config.logitScale === undefined ? [] : [one('scaled states', rows * config.hiddenSize)]),
    { label: 'logits and their copy', elements: rows * config.vocabularySize, count: 2 },
  ];
}
