/**
 * Most methods are five small things: what scores the keys, how many of them a budget keeps, in which unit they are kept, when that
 * is decided, and at which positions the kept ones are attended to. `compose` makes a method of them.
 */
import type { IndexList, Ops, RowScalars, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import type { PlannedBuffer } from '../base/planned-buffer';
import type {
  FirstStage,
  FittedBudget,
  LayerInput,
  MemoryPlace,
  Method,
  MethodContext,
  QueryCost,
  QueryPlace,
  StudyPlaces,
  Traits,
  UnitName,
  Wants,
} from './method';
import type { ParameterContext, Parameters } from './parameters';
import type { Positions } from './positions';
import type { Buffers } from './remember';

/** Scores of keys, one row per set of kept keys, and what breaks their ties. */
export interface Scores extends Buffers {
  readonly score: ScoreRows;
  readonly secondary?: ScoreRows;
}

/** What a free run's reading has shown of every layer. */
export interface Followed {
  /** A block has attended to every key up to its own. */
  read(input: LayerInput, logSumExp: RowScalars): void;
  /** Scores of a layer so far, a row for each KV head. */
  of(layer: number): ScoreRows;
  /** Remembers the scores so far / returns to what was remembered. */
  mark(): void;
  rewind(): void;
  release(): void;
}

/** What scores keys. */
export interface Scorer<Made extends Scores = Scores> {
  /** Names what a layer's scores depend on beside text and place. Null: on the budget, too; they are made for one run. */
  name(parameters: Parameters, layer: number): string | null;
  readonly sets: Traits['sets'];
  wants?(parameters: Parameters): Wants;
  /**
   * Scores of tokens [0, tokens), or of the units in them; `input` holds at least their keys and values. `followed` is what `follow`
   * made, if it did. For `everyQuery` each query of the input's block is one by itself, and sees one token more than the one before:
   * rows of the first, then of the next, of as many units as the last one sees; LOWEST_SCORE for those that a query does not see.
   */
  score(
    context: MethodContext,
    parameters: Parameters,
    input: LayerInput,
    tokens: number,
    followed: Followed | null,
  ): Made;
  /** Follows what is read before an eviction, for scores by all earlier queries: a free run keeps none of them (LayerInput.atBlock). */
  follow?(context: MethodContext): Followed;
  /** Tokens whose fate the scores decide when `count` of `tokens` stay (Selection.candidates): all of them by default. */
  candidates?(
    parameters: Parameters,
    layer: number,
    tokens: number,
    count: number,
  ): { readonly start: number; readonly end: number };
  /** Last tokens that rank above all others, so that they stay where the budget has room. Absent: none do. */
  window?(parameters: Parameters, layer: number): number;
  /** What of a layer stays whatever the scores, when `count` of `tokens` stay in each set (Selection.firstStage). */
  firstStage?(made: Made, parameters: Parameters, layer: number, tokens: number, count: number): FirstStage;
  /** Scores are compared only within consecutive segments of so many tokens. Absent: all with all. */
  segmentTokens?(parameters: Parameters, layer: number): number;
  /** Where the scores only spell out a rule that is none of scores. */
  readonly decidedBy?: 'place' | 'lot';
  /** What making the scores of these layers has shown. */
  lateNotices?(scores: readonly Made[]): Promise<readonly string[]>;
  /** Operations of scoring so many tokens once, in one layer. */
  operations(parameters: Parameters, context: ParameterContext, tokens: number, layer: number): number;
  /** Numbers that scoring reads from a layer's caches beside keys and values. */
  reads?(parameters: Parameters, context: ParameterContext, tokens: number, layer: number): number;
  /** What scoring holds beside the scores. */
  memory?(parameters: Parameters, place: MemoryPlace): PlannedBuffer[];
}

/** What stays of a layer. `tied` has a number for each of `tiedSets`: candidates equal to the last one kept. */
export interface Kept {
  readonly list: IndexList;
  readonly tied: DeviceBuffer;
  readonly tiedSets: number;
}

/** How many of the scored units stay, and in which sets. */
export interface Budget {
  /** Units that each set keeps, or keeps on average, of `units`, which stand for `tokens` tokens; in one of so many layers. */
  count(parameters: Parameters, layer: number, units: number, tokens: number, layers: number): number;
  /** Whether a layer is left out, whose queries see every key. Absent: none is. */
  isDense?(parameters: Parameters, layer: number): boolean;
  keep(
    ops: Ops,
    parameters: Parameters,
    layer: number,
    scores: Omit<Scores, keyof Buffers>,
    count: number,
  ): Kept;
  withBudget(
    parameters: Parameters,
    context: ParameterContext,
    keepFraction: number,
    places: StudyPlaces,
  ): FittedBudget;
}

/** What is kept or dropped together: so many consecutive tokens. */
export interface Unit {
  /** Absent: single tokens. */
  readonly name?: UnitName;
  tokens(parameters: Parameters, layer: number): number;
}

/** Single tokens. */
export const token: Unit = { tokens: () => 1 };

export interface Parts<Made extends Scores = Scores> {
  readonly scorer: Scorer<Made>;
  readonly budget: Budget;
  readonly unit: Unit;
  readonly schedule: Schedule;
  readonly positions: Positions;
  /** The layer whose choice a layer takes over, itself or one below; its own by default. Only what is decided once can be. */
  leader?(parameters: Parameters, layer: number): number;
}

/**
 * When keys are decided. What a scorer says of candidates, segments, following and late notices is for `once`; units are for `once`
 * and `everyQuery`.
 */
export interface Schedule extends Pick<Traits, 'decides' | 'evicts' | 'isNested' | 'isDenseBefore'> {
  readonly blocks: Method['blocks'];
  start<Made extends Scores>(
    parts: Parts<Made>,
    context: MethodContext,
    parameters: Parameters,
  ): ReturnType<Method['start']>;
  cost(
    parts: Parts,
    parameters: Parameters,
    context: ParameterContext,
    layer: number,
    query: QueryPlace,
  ): QueryCost;
  /** As of a method; absent: nothing is done once for a text. */
  onceOperations?(
    parts: Parts,
    parameters: Parameters,
    context: ParameterContext,
    layer: number,
    places: Pick<QueryPlace, 'evictAt'>,
  ): number;
  /** Layers whose scores and lists are held at once. */
  layersHeld(layers: number): number;
  /** Queries of which each has its own at once, `sets` rows of scores; absent: they share one. */
  queriesHeld?(sets: number, place: Pick<MemoryPlace, 'tokens' | 'largestBlock' | 'isFreeRun'>): number;
}

type Composed = Pick<Method, 'traits' | 'blocks' | 'start' | 'cost' | 'memory' | 'withBudget'> &
  Required<Pick<Method, 'onceOperations'>>;

export function compose<Made extends Scores>(parts: Parts<Made>): Composed {
  const { scorer, budget, unit, schedule, positions } = parts;
  const { decides, evicts, isNested, isDenseBefore } = schedule;
  // What does not touch scores knows nothing of their kind.
  const plain = parts as unknown as Parts;
  return {
    traits: (parameters) => ({
      ...{ decides, evicts, isNested, approximates: false, sets: scorer.sets, cache: 'tokens' },
      unit: unit.tokens(parameters, 0),
      ...(unit.name && { unitName: unit.name }),
      positions: positions.of(parameters),
      wants: { ...scorer.wants?.(parameters), ...(scorer.follow && { attended: true }) },
      ...(parts.leader && { leader: (layer: number) => parts.leader!(parameters, layer) }),
      ...(isDenseBefore && positions.of(parameters) === 'model' ? { isDenseBefore } : {}),
    }),
    blocks: schedule.blocks,
    start: (context, parameters) => schedule.start(parts, context, parameters),
    cost: (parameters, ...place) => schedule.cost(plain, parameters, ...place),
    onceOperations: (parameters, ...place) => schedule.onceOperations?.(plain, parameters, ...place) ?? 0,
    memory: (parameters, place) => [
      ...keptLists(
        place,
        schedule.layersHeld(place.layers),
        setsOf(scorer, place) * (schedule.queriesHeld?.(setsOf(scorer, place), place) ?? 1),
      ),
      ...(scorer.memory?.(parameters, place) ?? []),
      ...positions.memory(parameters, place),
    ],
    withBudget: budget.withBudget,
  };
}

/** A method that is composed in one way or another, as its parameters say. */
export function composeBy(choose: (parameters: Parameters) => Composed): Composed {
  return {
    traits: (parameters) => choose(parameters).traits(parameters),
    blocks: (parameters, ...rest) => choose(parameters).blocks(parameters, ...rest),
    start: (context, parameters) => choose(parameters).start(context, parameters),
    cost: (parameters, ...rest) => choose(parameters).cost(parameters, ...rest),
    onceOperations: (parameters, ...rest) => choose(parameters).onceOperations(parameters, ...rest),
    memory: (parameters, place) => choose(parameters).memory(parameters, place),
    withBudget: (parameters, ...rest) => choose(parameters).withBudget(parameters, ...rest),
  };
}

/** Scores, what breaks their ties, and kept keys of so many layers, for a set of each KV head by default. */
export function keptLists(
  { keyValueHeads, tokens }: MemoryPlace,
  layersHeld: number,
  sets = keyValueHeads,
): PlannedBuffer[] {
  return [
    { label: 'scores', elements: 2 * sets * tokens, count: layersHeld },
    { label: 'kept keys', elements: sets * tokens, count: layersHeld },
  ];
}

/** How many sets of keys a layer has, at most. */
export function setsOf(
  { sets }: Pick<Scorer, 'sets'>,
  { keyValueHeads, queryHeads }: Pick<MemoryPlace, 'keyValueHeads' | 'queryHeads'>,
): number {
  return sets === 'queryHead' ? queryHeads : keyValueHeads;
}
