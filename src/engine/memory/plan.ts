/**
 * What a study takes of the device's memory, by phase and buffer, before anything runs. Weights, caches and what reading needs are
 * counted exactly; what measuring and methods need beside them by the largest that they ask for at once. A study that does not fit
 * is refused with the number of tokens that would.
 */
import { mebibytes } from '../../../gpu/memory';
import type { MemoryLimits } from '../../../gpu/ops';
import type { PlannedBuffer } from '../../base/planned-buffer';
import { UserError } from '../../base/user-error';
import { FULL_AS_TRAINED, full } from '../../methods/full';
import type { Method } from '../../methods/method';
import type { Parameters } from '../../methods/parameters';
import type { ModelConfig } from '../../model/architectures/config';
import type { Part } from '../events';
import { prefillBlocks } from '../generation';
import { cacheBuffers, plannedBytes, readingBuffers, weightBuffers } from './buffers';
import {
  answerBuffers,
  comparingBuffers,
  measuringBuffers,
  methodBuffers,
  rememberedBuffers,
  rotatedSlots,
  temporaryBuffers,
  type WorkingSize,
} from './working';

export interface MemoryRequest {
  readonly limits: MemoryLimits;
  readonly config: ModelConfig;
  readonly method: Method;
  readonly parameters: Parameters;
  readonly tokens: number;
  /** So many layers are read, from the first on; all by default. */
  readonly layersRead?: number;
  /** First token of `queries`. */
  readonly queriesStart: number;
  /** Where methods that evict once do so; by default at `queriesStart`. */
  readonly evictAt?: number;
  readonly answerStart: number | null;
  /** Tokens generated after a text without an answer; none by default. */
  readonly continuation?: number;
  /** What this worker does of the study. */
  readonly parts: readonly Part[];
  /** Whether full attention's reading keeps hidden states; not by default. */
  readonly recordsHidden?: boolean;
  /** So many at once, each of a text of its own; 1 by default. */
  readonly runsAtOnce?: number;
}

export interface MemoryPhase {
  readonly name: 'weights' | 'full attention' | 'measuring' | 'free run' | 'comparing';
  /** Everything that is held in this phase, weights included. */
  readonly buffers: readonly PlannedBuffer[];
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly phases: readonly MemoryPhase[];
  /** Of the largest phase. */
  readonly peakBytes: number;
  /** Layers whose rotated keys are held while full attention, and a free run, read: all if there is room for them, else one. */
  readonly rotatedLayers: { readonly full: number; readonly free: number };
  /** Whether full attention's reading keeps hidden states. */
  readonly recordsHidden: boolean;
}

/** Plans a study. Throws UserError, one sentence, for one that does not fit. */
export function planMemory(request: MemoryRequest): MemoryPlan {
  const { limits, tokens } = request;
  const plan = roomiestPlan(request);
  const tooLarge = plan.phases.flatMap(({ buffers }) => buffers).find((buffer) => !isAllowed(buffer, limits));
  if (plan.peakBytes <= limits.budgetBytes && !tooLarge) return plan;
  const why = tooLarge
    ? `need ${mebibytes(4 * tooLarge.elements)} MiB for their ${tooLarge.label} and a buffer may have ${mebibytes(limits.bufferBytes)} MiB`
    : `need ${mebibytes(plan.peakBytes)} MiB and ${mebibytes(limits.budgetBytes)} MiB are allowed`;
  const most = mostTokens(request);
  const count = (value: number): string => value.toLocaleString('en');
  throw new UserError(
    most > 0
      ? `${count(tokens)} tokens of this model ${why} on this device; use at most ${count(most)} tokens.`
      : `${count(tokens)} tokens of this model ${why} on this device, where not even one token fits; choose a smaller model.`,
  );
}

/** Whether a study has room, with as many free runs at once as it asks for. */
export function fitsMemory(request: MemoryRequest): boolean {
  const { limits } = request;
  const { phases, peakBytes } = roomiestPlan(request);
  const buffers = phases.flatMap((phase) => phase.buffers);
  return peakBytes <= limits.budgetBytes && buffers.every((buffer) => isAllowed(buffer, limits));
}

/** Bytes that a study wants at its peak, whether the device has them or not. */
export function wantedBytes(request: MemoryRequest): number {
  return roomiestPlan(request).peakBytes;
}

/** Throws UserError where the device has no room for a model's weights. */
export function checkWeightsFit(config: ModelConfig, limits: MemoryLimits): void {
  const bytes = plannedBytes(weightBuffers(config, limits), limits);
  if (bytes <= limits.budgetBytes) return;
  throw new UserError(
    `The model's weights need ${mebibytes(bytes)} MiB and ${mebibytes(limits.budgetBytes)} MiB are allowed on this device; choose a smaller model.`,
  );
}

/** The most tokens of a text like this one that fit: as large a share of them queries, and of them an answer. 0: none. */
export function mostTokens(request: MemoryRequest): number {
  const fits = (tokens: number): boolean => {
    const at = (place: number): number => Math.min(tokens - 1, Math.floor((place / request.tokens) * tokens));
    const { answerStart } = request;
    return fitsMemory({
      ...request,
      tokens,
      queriesStart: at(request.queriesStart),
      answerStart: answerStart === null ? null : at(answerStart),
    });
  };
  let fitting = 0;
  let beyond = request.tokens;
  while (beyond - fitting > 1) {
    const middle = Math.floor((fitting + beyond) / 2);
    if (fits(middle)) fitting = middle;
    else beyond = middle;
  }
  return fitting;
}

function isAllowed({ elements }: PlannedBuffer, { bufferBytes }: MemoryLimits): boolean {
  return 4 * elements <= bufferBytes;
}

/** The plan with most of what saves time that has room, or the smallest. */
function roomiestPlan(request: MemoryRequest): MemoryPlan {
  const { limits, config } = request;
  const all = request.layersRead ?? config.layers;
  const choices = [
    { full: all, free: all },
    { full: all, free: 1 },
    { full: 1, free: 1 },
  ];
  const plans = choices.map((rotatedLayers) => planWith(request, rotatedLayers));
  return plans.find(({ peakBytes }) => peakBytes <= limits.budgetBytes) ?? plans[plans.length - 1]!;
}

function planWith(request: MemoryRequest, rotatedLayers: MemoryPlan['rotatedLayers']): MemoryPlan {
  const { limits, method, parameters, tokens, queriesStart, parts, recordsHidden = false } = request;
  // Weights are there of every layer, all else of those that are read.
  const config = { ...request.config, layers: request.layersRead ?? request.config.layers };
  const traits = method.traits(parameters);
  const queries = tokens - queriesStart;
  const weights = weightBuffers(request.config, limits);
  const { capacity, largestBlock, mostAtOnce } = prefillBlocks(config, limits, request);
  const readingOfAll = prefillBlocks(config, limits, {
    ...request,
    method: full,
    parameters: FULL_AS_TRAINED,
  });
  const working: WorkingSize = { ...request, queries, largestBlock };
  const doesProbe = parts.includes('probe');
  const cachesOfText = doesProbe
    ? cacheBuffers(config, capacity, { keepQueries: true, keepHidden: recordsHidden })
    : [];
  const text = doesProbe ? [...cachesOfText, ...rotatedSlots(config, tokens)] : [];
  const readBack = {
    label: 'copy of the states of queries',
    elements: queries * config.hiddenSize,
    count: 1,
  };

  const phases: MemoryPhase[] = [];
  const temporaries = temporaryBuffers(config, limits);
  const add = (name: MemoryPhase['name'], buffers: readonly PlannedBuffer[]): void => {
    const ofAll = buffers.map((buffer) => ({ ...buffer, count: buffer.count * (request.runsAtOnce ?? 1) }));
    const held = [...weights, ...ofAll, ...(buffers.length > 0 ? temporaries : [])];
    phases.push({ name, buffers: held, bytes: plannedBytes(held, limits) });
  };
  add('weights', []);
  if (doesProbe) {
    const reading = readingBuffers(config, limits, {
      ...{ capacity, queries, keepQueries: true, needsFullAttention: false },
      largestBlock: readingOfAll.largestBlock,
      mostAtOnce: readingOfAll.mostAtOnce,
      rotatedLayers: rotatedLayers.full,
    });
    add('full attention', [...cachesOfText, ...reading, readBack]);
    add('measuring', [...text, ...measuringBuffers(working)]);
  }
  if (parts.includes('free')) {
    const reading = readingBuffers(config, limits, {
      ...{ capacity, queries, keepQueries: false, needsFullAttention: traits.wants.logSumExp ?? false },
      largestBlock,
      mostAtOnce,
      rotatedLayers: rotatedLayers.free,
    });
    // Of the run, the answer or the copy of the states, whichever takes more.
    const answer = answerBuffers(working);
    const last = plannedBytes(answer, limits) > plannedBytes([readBack], limits) ? answer : [readBack];
    const caches = cacheBuffers(config, capacity, {
      keepQueries: false,
      keepHidden: traits.wants.hidden ?? false,
    });
    const run = [...caches, ...reading, ...methodBuffers(working, { isFreeRun: true }), ...last];
    const remembered = doesProbe ? rememberedBuffers(working) : [];
    add('free run', [...text, ...remembered, ...run]);
    add('comparing', [...text, ...remembered, ...comparingBuffers(config, queries)]);
  }
  return { phases, peakBytes: Math.max(...phases.map(({ bytes }) => bytes)), rotatedLayers, recordsHidden };
}
