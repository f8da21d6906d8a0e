/**
 * The contract of a selection method: a rule that decides which keys a query may see.
 *
 * A method is written once against gpu/ops.ts. `start` makes a run; the caller then visits, per layer, the blocks in
 * ascending order: `select`, then attention by `attend` or the default. Probe runs go layer by layer over a
 * trace, free runs block by block over a growing cache; a method cannot tell the difference.
 */
import type { IndexList, Ops, RotationTable, RowScalars, ScoreRows, ScoreRule } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import type { PlannedBuffer } from '../base/planned-buffer';
import type { Calibration } from '../model/calibration';
import type { InjectedName, InjectedTensor } from '../model/capture/injected';
import type { KeyValueMaps, KeyValueProjection } from '../model/decoder/project';
import type { Rope } from '../model/decoder/rope';
import type { Rereading } from '../trace/rereading';
import type { LayerTrace } from '../trace/trace';
import type { ParameterContext, Parameters, Parametrised } from './parameters';

/** Something that a run computed and that holds for others, too. */
export interface Remembered {
  readonly bytes: number;
  release(): void;
}

/**
 * Remembers across runs over one text what parameters that have moved since do not change: a moved budget starts from the scores,
 * a moved proximity from them undilated, everything from the compressed keys.
 */
export interface ScoreMemo {
  /**
   * What was made for `key` earlier, or by `make` now. It belongs to the memo and is valid during this selection: ask again for
   * the next one. `key` names all that the value depends on beside the text: method, parameters, layer, block.
   */
  get<T extends Remembered>(key: string, make: () => T): T;
}

/** Consecutive queries [start, end) that share one decision. */
export interface QueryBlock {
  readonly start: number;
  readonly end: number;
}

/** Where a text is evicted from and answered. */
export interface StudyPlaces {
  /** First token of `queries`; methods that evict once do so here, which may be within the answer. */
  readonly evictAt: number;
  /** First token of the answer; null: the text has none. */
  readonly answerStart: number | null;
}

/** Where a text of `tokens` tokens is read, evicted from and answered. */
export interface ReadPlaces extends StudyPlaces {
  readonly tokens: number;
}

/** Queries [H, A, d], keys and values [G, A, d] of a prompt's A tokens. */
export interface PromptRows {
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
}

/** What one layer offers a method: the block's queries, and keys and values of tokens [0, block.end). */
export interface LayerInput {
  readonly layer: number;
  readonly block: QueryBlock;
  /**
   * [H, block, d], rotary positions applied as the model does. Rotated rows may be made when they are read, into space that layers
   * share: read `query` and `key` where the work on them is encoded, and keep neither while something else may run.
   */
  readonly query: Rows;
  /** [H, block, d] before rotation; equals `query` for models without rotary positions. Null: a capture without them. */
  readonly queryUnrotated: Rows | null;
  /** [G, block.end, d]. */
  readonly key: Rows;
  readonly keyUnrotated: Rows | null;
  readonly value: Rows;
  /**
   * [block.end, D]: what the layer projects queries, keys and values of these tokens from, its input after the norm; for methods that
   * want it only (null otherwise).
   */
  readonly hidden: Rows | null;
  /**
   * Full attention's log-sum-exp of the block's queries over tokens ≤ their own, [H, block]. A free run computes it for methods that
   * want it (null otherwise); a trace has it.
   */
  readonly logSumExp: RowScalars | null;
  /**
   * The last queries before token `end`, rotary positions applied unless the method wants them before, [H, n, d]: as many as the method wants, or as there are; null for
   * methods that want none. `end` is the block's start at most; a free run has those before its block only.
   */
  queriesBefore(end: number): Rows | null;
  /**
   * Rows of the whole prompt, while it is read, for methods that want it: also those of tokens behind the block. Null otherwise, and
   * for blocks behind the prompt.
   */
  prompt(): PromptRows | null;
  /**
   * The same block in another layer. Null where every layer below has had its turn already, as in a free run; where layers are looked
   * at one by one a run that follows another layer's choice makes that first.
   */
  inLayer(layer: number): LayerInput | null;
  /** The same layer at an earlier block, log-sum-exp included. Null in a free run, where what was read is gone but for its keys. */
  atBlock(block: QueryBlock): LayerInput | null;
}

/** Of a layer's input what positions of a method's own are made from. */
export type UnrotatedInput = Pick<LayerInput, 'layer' | 'block' | 'queryUnrotated' | 'keyUnrotated'>;

/** Queries and keys at a method's own positions. */
export interface FarRows {
  readonly query: Rows;
  readonly key: Rows;
  readonly owned: readonly DeviceBuffer[];
}

/** What a sub-cache holds, and every how many tokens it takes one. */
export interface SubCache {
  readonly tokens: number;
  readonly every: number;
}

/** Two keys of which one had to go: who went, and who stayed then; null: it was compared with none. */
export interface Comparison {
  readonly dropped: number;
  readonly stayed: number | null;
}

/**
 * Why a method drops nothing for a query whose keys do not all fit its budget: it leaves the layer dense, or decides for later
 * queries only, or for earlier ones only.
 */
export type NothingBecause = 'dense-layer' | 'dense-before' | 'dense-after';

/**
 * The keys that a block's queries see: `list`, then what was made, then every token of [rangeStart, own position]. Where rangeStart is the block's end
 * the list is all they see: only blocks of one query may then list tokens of their own.
 */
export interface Selection {
  /** Ascending indices below rangeStart; null when there are none. */
  readonly list: IndexList | null;
  /** Rows of a cache whose rows are made from several tokens, [G, n, d], keys before rotation. Absent: there are none. */
  readonly made?: { readonly key: Rows; readonly value: Rows };
  readonly rangeStart: number;
  /**
   * Tokens whose fate is open to the method's choice, [start, end). Everything else below the block was kept or dropped
   * whatever the scores: kept tokens before `start` are sinks, kept tokens from `end` on are local. Empty (start = end) when
   * nothing is chosen.
   */
  readonly candidates: { readonly start: number; readonly end: number };
  /** Kept tokens from the candidates' end up to here are not local: they wait for a choice that comes later. Absent: there are none. */
  readonly waitingEnd?: number;
  /** What is kept from here on is no window, but was read after the part of the text that choices are made from. Absent: nothing was. */
  readonly readSince?: number;
  /**
   * What top-k ran on, and what broke its ties; entry 0 of each row belongs to token `scoreStart`. Null where nothing was
   * scored.
   */
  readonly score: {
    readonly rows: ScoreRows;
    readonly secondary?: ScoreRows;
    readonly scoreStart: number;
    /** Whose the entries are, a list for each row, where they are not consecutive tokens. */
    readonly tokens?: IndexList;
    /** Entries stand for so many consecutive tokens each; absent: for one. */
    readonly tokensPerScore?: number;
  } | null;
  /** Whatever scores above this stays, however much that is. Absent: so many of the best stay. */
  readonly threshold?: number;
  /** What stays before `score` is asked, where that is decided in two stages. */
  readonly firstStage?: FirstStage;
  /**
   * What decided, where it was no score: nothing was dropped, the key's place, that and whether its head keeps everything, the score
   * beside that of one neighbour, chance, or a file that lists the keys (then `score` is what it says of them).
   */
  readonly decidedBy?: 'nothing' | 'place' | 'head' | 'pattern' | 'neighbour' | 'lot' | 'file';
  /** Why, where `decidedBy` is 'nothing'. Absent: the budget has room for all, or the method has not come to it (`Traits.decides`). */
  readonly because?: NothingBecause;
  /** Where `decidedBy` is 'neighbour': the sub-caches whose tokens stand behind one another, from the block back. */
  readonly subCaches?: readonly SubCache[];
  /** Why keys without a score are gone, as a clause for *why*, where an earlier choice dropped them. */
  readonly droppedEarlier?: string;
  /** Scores are compared only within consecutive segments of so many tokens from `scoreStart`; absent: all with all. */
  readonly segmentTokens?: number;
  /** One count per set of `list`: candidates equal to the last one kept. Null where nothing was cut. */
  readonly tiedAtCut: {
    readonly buffer: DeviceBuffer;
    readonly offset: number;
    readonly sets: number;
  } | null;
  /** Buffers that belong to this selection alone and can be released with it. */
  readonly owned: readonly DeviceBuffer[];
}

/** Keys that stay whatever a selection's scores are: of each set the best by other scores. */
export interface FirstStage {
  readonly rows: ScoreRows;
  readonly secondary?: ScoreRows;
  /** Whether of equal ones the later token stays. */
  readonly isLaterFirst: boolean;
  /** How many, of so many keys that the set keeps. */
  count(kept: number): number;
  /** What these scores are, and what they are times for the keys that are left, as words for *why*. */
  readonly names: { readonly score: string; readonly factor: string };
}

/** Per-query scores of candidates, a row per query: see `MethodRun.queryScores`. The caller releases `owned`. */
export interface QueryScores {
  readonly approximate: ScoreRows;
  readonly exact: ScoreRows;
  readonly owned: readonly DeviceBuffer[];
  /** How many candidates are chosen. */
  readonly count: number;
}

/**
 * Decides in one pass for consecutive queries that are each a block of one, as an answer's tokens are; `input.block` covers all of
 * them. Null where one pass cannot serve all, and the caller asks for each alone. The first selection owns the buffers of all. A method
 * that is told what was `attended` knows of these already.
 */
export interface EachQuery {
  /** Rows of scores that a query has: one by default. */
  readonly scoresOfQuery?: number;
  select(input: LayerInput): readonly Selection[] | null;
  /** As `MethodRun.selectExactly`; there if that is. */
  selectExactly?(input: LayerInput): readonly Selection[] | null;
  /** As `MethodRun.queryScores`, row i having one candidate more than row i − 1, LOWEST_SCORE beyond; there if that is. */
  queryScores?(input: LayerInput): QueryScores | null;
}

/** The keys of consecutive queries with a block each, as lists with one set for every head and query, in that order. */
export interface VisibleOfEach {
  /** What each query sees from its own rangeStart on, listed when it is asked for; not where rangeStart is fixed. */
  near(): IndexList;
  /** What is listed before; null: every token before. */
  readonly far: IndexList | null;
  /** rangeStart of the first query: one more with each query, or that of all (`MethodRun.isRangeFixed`). */
  readonly firstRangeStart: number;
}

export interface MethodContext {
  readonly ops: Ops;
  readonly layers: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  /** What makes the model's scores of queries and keys. */
  readonly scores: ScoreRule;
  /**
   * A layer's rotary table, for distances and places in a cache; null: it has no rotary positions. Covers at least 0 … totalTokens.
   */
  rotationOf(layer: number): RotationTable | null;
  /** The settings that a layer's table was made from. */
  ropeOf(layer: number): Rope | null;
  /** Position of token 0 (captures may start later); the table knows nothing of it. */
  readonly positionOffset: number;
  readonly trainedTokens: number | null;
  /** T, tokens of the text. A generated answer may go beyond it. */
  readonly totalTokens: number;
  /** Where methods that evict once do so: the first token of `queries`. totalTokens: after everything. */
  readonly evictAt: number;
  /** First token of the answer; totalTokens: the text has none. */
  readonly promptEnd: number;
  readonly calibration: Calibration | null;
  /** A layer's output projection W_O, [D, H·d]; null: a capture without it. */
  outputWeight(layer: number): Rows | null;
  /**
   * What a capture brings for methods beside queries, keys and values (docs/captures.md); null: nothing of that name, as with every
   * model. src/methods/injected.ts refuses in a sentence where a method needs it.
   */
  injected<Name extends InjectedName>(name: Name, layer: number): InjectedTensor<Name> | null;
  /** How the model makes keys and values of hidden states; null: a capture, which does not know. */
  readonly projection: Pick<KeyValueProjection, 'maps' | 'hiddenSize'> | null;
  /** Every layer of the open text as full attention saw it, which `prepare` may have been given a part of; null: there is no trace. */
  readonly recorded: readonly LayerTrace[] | null;
  /**
   * The model that has read the open text with full attention, to read on behind a part of it in `prepare`; null: there is no trace, or
   * it is a capture's.
   */
  readonly rereading: Rereading | null;
  /** For runs over a trace; a free run has nothing to share. */
  readonly memo?: ScoreMemo;
}

/** Singular values of a layer's maps for keys and values, descending, and how many of each stay. */
export interface Spectra {
  readonly key: Spectrum;
  readonly value: Spectrum;
}

interface Spectrum {
  readonly values: readonly number[];
  readonly rank: number;
}

/** How each query head of a layer reads a prompt, where that was searched for. */
export interface PatternFinding {
  /** In a few words each. */
  readonly candidates: readonly string[];
  /** The mean share of a head's attention that each candidate keeps, and which of them the head has. */
  readonly heads: readonly { readonly chosen: number; readonly masses: readonly number[] }[];
}

/** State of one run of a method over all layers. */
export interface MethodRun {
  /**
   * Awaited once before the first `select`: what has to be computed from a text, where the model brings no calibration.
   * `layerTraces`: the open text as full attention saw it; null where there is no trace, which may throw UserError.
   */
  prepare?(layerTraces: readonly LayerTrace[] | null, signal?: AbortSignal): Promise<void>;
  /** What the run had to assume, one sentence each; known once prepared. */
  readonly notices?: readonly string[];
  /** What the selections so far have shown beside that, one sentence each. */
  lateNotices?(): Promise<readonly string[]>;
  /**
   * Maps that make the keys and values of every token in place of the model's own, known once prepared and the run's until it is
   * disposed of; there where `Traits.cache` is 'transformed'. What they give is what `input` holds: in a free run, which reads with
   * them, and on a trace, where keys and values are made anew from full attention's hidden states.
   */
  keyValueMaps?(layer: number): KeyValueMaps;
  /** Singular values of the layer's maps before they were cut, for the page. */
  spectra?(layer: number): Spectra;
  /** What a search has found in a layer, for the page; known once prepared. */
  patterns?(layer: number): PatternFinding;
  /** The rule by which a query head reads, as a clause for *why*, where `Selection.decidedBy` is 'pattern'. */
  ruleOf?(layer: number, head: number): string;
  /** Decides what the block sees. Called per layer in ascending order of blocks. An empty block at T asks what stays for a next token. */
  select(input: LayerInput): Selection;
  /**
   * Attention of the block under this method's own positions, where those differ from the model's; default (absent): the
   * model's positions on the kept keys. May be asked for a part of the block's queries; `input` then is that part.
   */
  attend?(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void;
  /**
   * Told after a block has attended to what was selected, to follow what attention was: there, it is called (`Wants.attended` says so beforehand). `logSumExp` as `attend` or the
   * default left it, [H, block]; null where nothing was attended, as on a trace: the method then computes its own.
   */
  attended?(input: LayerInput, selection: Selection, logSumExp: RowScalars | null): void;
  /** First token of those that `attend` leaves at the model's positions for a block's queries; those before it are `farRows`: the block's end where none is left. */
  farEnd?(layer: number, block: QueryBlock): number;
  /** Queries, all of `input`, and keys as `attend` compares them for tokens before `farEnd`. The caller releases `owned`. */
  farRows?(input: UnrotatedInput): FarRows;
  /**
   * `attend` for consecutive queries that each have a block of their own, all in one pass: `input` holds dense head-major rows,
   * `logSumExp` too.
   */
  attendEach?(input: LayerInput, visible: VisibleOfEach, out: Rows, logSumExp: RowScalars): void;
  /** Whether `attendEach` takes queries of one rangeStart, as blocks of a memory have it. Absent: it is one more with each query. */
  readonly isRangeFixed?: boolean;
  /** What `attend` depends on beside the layer and the keys that it sees. */
  attendsBy?(layer: number): string;
  /** The exact score's choice where `select` used an approximation, for selector recall. Null: no approximation here. */
  selectExactly?(input: LayerInput): Selection | null;
  /**
   * Per-query scores of the candidates before any pooling (paper's Fig. 2), up to a constant of each query: a row per query for the
   * approximation and for the exact score; `queries` are tokens of the block, all of them by default. Null when there is nothing
   * approximate or no candidate.
   */
  queryScores?(
    input: LayerInput,
    queries?: { readonly start: number; readonly end: number },
  ): QueryScores | null;
  /** Several blocks of one query in one pass. Absent: the method decides block by block. */
  readonly each?: EachQuery;
  /** For who drops one of two: from now on whom each dropped key lost to is remembered, and told of a layer, a list for each set. */
  readonly comparisons?: {
    remember(): void;
    of(layer: number): Promise<readonly (readonly Comparison[])[]>;
  };
  /** Remembers the state of all layers / returns to what was remembered (the tokens after it are forgotten). */
  mark(): void;
  rewind(): void;
  dispose(): void;
}

/** A query of a text: its token, the block it is read in, where the run evicts and where the answer begins (see MethodContext). */
export interface QueryPlace {
  readonly position: number;
  readonly block: QueryBlock;
  readonly evictAt: number;
  readonly promptEnd: number;
}

/** What a query costs in one layer, by formula: multiply and add counted apart, as is every comparison of scores. */
export interface QueryCost {
  /** Keys the query attends to, itself included. */
  readonly keptKeys: number;
  /** Scoring and projection; what an eviction takes once for a text is `Method.onceOperations`. */
  readonly selectionOperations: number;
  /** Numbers that the query reads from the layer's caches if it is a block of one, selection included. */
  readonly readNumbers: number;
}

/** What `withBudget` found: parameters that keep within a budget; the smallest fraction the method can; or a sentence that says why no budget means anything. */
export type FittedBudget =
  | { readonly parameters: Parameters }
  | { readonly floor: number }
  | { readonly reason: string };

/** What a run asks to see beside a block's queries, keys and values; what is absent it does without. */
export interface Wants {
  /** Queries and keys before rotation. Attention at places in the cache wants them in any case. */
  readonly unrotated?: boolean;
  /** Full attention's log-sum-exp of the block. */
  readonly logSumExp?: boolean;
  /** The whole prompt's queries, keys and values while it is read: a free run then reads it at once, and `LayerInput.prompt` has them. */
  readonly prompt?: boolean;
  /** Hidden states of every token so far. A trace records them only where a method wants them. */
  readonly hidden?: boolean;
  /** The layer's output projection (`MethodContext.outputWeight`): a capture without it is refused. */
  readonly outputWeight?: boolean;
  /** So many queries before the block: `LayerInput.queriesBefore`. Infinity: all of them, for who decides once. */
  readonly queriesBefore?: number;
  /** These as they are before rotation; asks for `unrotated`, too. */
  readonly earlierUnrotated?: boolean;
  /** Runs have `MethodRun.attended`, which is told what every block attended to and computes its probabilities once more. */
  readonly attended?: boolean;
  /** Second moments of keys: the model's calibration, or else a text that full attention has read (`MethodRun.prepare`). */
  readonly secondMoments?: boolean;
  /** A text that full attention has read (`MethodRun.prepare`), whatever calibration the model brings. */
  readonly recorded?: boolean;
  /** So many of that text's last queries before the eviction are looked at: nothing has to keep them, but they are what decides. */
  readonly recordedQueries?: number;
  /** The model, to read on behind a part of that text (`MethodContext.rereading`). */
  readonly rereading?: boolean;
}

export type UnitName = 'page' | 'chunk' | 'block' | 'cluster';

/** What a method does under given parameters: who decides what when, and what it takes. */
export interface Traits {
  /**
   * 'never': every key stays. 'once': at the eviction, and `keepFraction` is a fraction of the tokens before it. 'whileReading': every
   * block changes what later ones find, so earlier blocks have to be visited. 'everyBlock': by the block alone.
   */
  readonly decides: 'never' | 'once' | 'whileReading' | 'everyBlock';
  /** Whether a key that was dropped stays dropped. */
  readonly evicts: boolean;
  /** Decided once, but at this token, wherever the study's queries begin. Absent: there (MethodContext.evictAt). */
  readonly evictsAt?: number;
  /** Whether the keys of a smaller budget are the first of a larger one's in one order of scores: one run then serves a sweep. */
  readonly isNested: boolean;
  /** Whether `selectExactly` chooses by a score that `select` only approximates. */
  readonly approximates: boolean;
  /** Whom one set of kept keys is for: all heads of a layer, those of one KV head, or one query head. */
  readonly sets: 'layer' | 'kvHead' | 'queryHead';
  /** Whether what follows the prompt reads everything: numbers are then means over the prompt's queries alone, where there are any. */
  readonly isPrefillOnly?: boolean;
  /**
   * Whether the rows of the cache are tokens with the keys and values of the model; tokens with keys and values that the run makes by
   * maps of its own ('transformed'); some are made from several tokens ('made'); or keys
   * have lost channels ('pruned'). Of the latter three recall by tokens means nothing.
   */
  readonly cache: 'tokens' | 'transformed' | 'made' | 'pruned';
  /**
   * What stays or goes together: so many consecutive tokens (in the first layer, where layers differ), or in a word what else. Absent:
   * each token by itself.
   */
  readonly unit?: number | string;
  /** What such a unit is called. Absent: tokens go one by one. */
  readonly unitName?: UnitName;
  /**
   * Whose positions attention uses: the model's; places inside the cache, or others that a key has only once it is kept; or for all
   * keys the method's own, and then what those depend on, as a string.
   */
  readonly positions: 'model' | 'cache' | { readonly own: string };
  readonly wants: Wants;
  /** The layer whose choice a layer takes over (`LayerInput.inLayer`). Absent: each chooses for itself. */
  readonly leader?: (layer: number) => number;
  /**
   * Whether every query before the eviction sees every key up to its own, at the model's positions: what full attention has read of
   * these tokens then is what the run would read. Absent: no.
   */
  readonly isDenseBefore?: boolean;
}

/** What a run's memory depends on. */
export interface MemoryPlace extends ParameterContext {
  /** Queries of the method's largest block. */
  readonly largestBlock: number;
  /** Whether it is a free run, which decides for one block at a time: passes over several (`EachQuery`) are a trace's. */
  readonly isFreeRun: boolean;
  /** Whether the model has rotary positions. */
  readonly isRotary: boolean;
  /** D. */
  readonly hiddenSize: number;
}

/**
 * The group that a method is listed in. 'drop': keys are gone for good; 'choose': every block chooses anew; 'transform': the cache holds
 * something else than the tokens' keys and values; 'allocate': it decides how many keys each layer or head keeps, by scores that are
 * another method's; 'baseline': what others are compared with.
 */
export type WhatItDoes = 'drop' | 'choose' | 'transform' | 'allocate' | 'baseline';

/** Where methods that evict once do so in a task: before its question is read, or after it. */
export const EVICTION_CHOICES = ['context', 'question'] as const;
export type EvictAfter = (typeof EVICTION_CHOICES)[number];

/** What presets of a method are made from (src/methods/presets.ts), beside `paper` of its parameters. */
interface PresetSources {
  /**
   * Where `paper` of its parameters comes from, the paper itself or its authors' code, and where that evicts, if it is known. Absent: we
   * have read neither, or what we have read sets no parameter here (TOVA's code); `paper` of parameters that methods share is another method's.
   */
  readonly paper?: { readonly from: 'paper' | 'code'; readonly evictAfter?: EvictAfter };
  /** kvpress's defaults, where it has the method. */
  readonly kvpress?: { readonly parameters?: Parameters; readonly evictAfter?: EvictAfter };
}

export interface Method extends Parametrised {
  readonly title: string;
  /** One sentence: what it does. */
  readonly summary: string;
  readonly citation: { readonly authors: string; readonly year: number; readonly url: string } | null;
  /** What it does, where that is another thing than its traits tell (src/methods/what-methods-do.ts). */
  readonly does?: WhatItDoes;
  /** Values to start from, beside `paper` of its parameters. */
  readonly presets?: PresetSources;
  /** What it does under `parameters`, which are checked. */
  traits(parameters: Parameters): Traits;
  /** Things to know before believing the numbers (reconstructions, departures), shown beside the controls. */
  readonly notes?: (parameters: Parameters, context: ParameterContext) => readonly string[];
  /**
   * The blocks in which tokens [0, tokens) are read, ascending, without holes; one begins at `evictAt` where it matters.
   * `context.tokens` is the whole text, of which the prompt is a part.
   */
  blocks(parameters: Parameters, tokens: number, evictAt: number, context: ParameterContext): QueryBlock[];
  start(context: MethodContext, parameters: Parameters): MethodRun;
  /** Cost of one layer of the query at token `query.position` of its block; work done once per block is shared out. */
  cost(parameters: Parameters, context: ParameterContext, layer: number, query: QueryPlace): QueryCost;
  /** Operations of one layer’s eviction, where it is made once for a text, however many queries follow: with the scores it goes by. Absent: none. */
  onceOperations?(
    parameters: Parameters,
    context: ParameterContext,
    layer: number,
    places: Pick<QueryPlace, 'evictAt' | 'promptEnd'>,
  ): number;
  /** What a run holds, all layers, and what it needs for a block, beside the model's caches. */
  memory(parameters: Parameters, place: MemoryPlace): PlannedBuffer[];
  /** The query's operations as the method's own paper counts them, of full attention and of the method. Absent: its paper does not. */
  paperCost?(
    parameters: Parameters,
    context: ParameterContext,
    layer: number,
    query: QueryPlace,
  ): { readonly full: number; readonly method: number };
  /** `parameters` with the budget that `sweep --keep` asks for in a study at `places`; see docs/methods.md, "Budgets". */
  withBudget(
    parameters: Parameters,
    context: ParameterContext,
    keepFraction: number,
    places: StudyPlaces,
  ): FittedBudget;
}

/** Whether a run must `prepare` from a text that full attention has read, because what it needs of one the model does not bring. */
export function readsTrace(method: Method, parameters: Parameters, calibration: Calibration | null): boolean {
  const { wants } = method.traits(parameters);
  return Boolean(
    wants.recorded || wants.rereading || (wants.secondMoments && !calibration?.hasSecondMoments),
  );
}

/** Whether a run on a trace needs the hidden states of its layers. */
export function needsHidden(method: Pick<Method, 'traits'>, parameters: Parameters): boolean {
  const { wants, cache } = method.traits(parameters);
  return Boolean(wants.hidden) || cache === 'transformed';
}

/** What a run had to assume and what its selections have shown, one sentence each. */
export async function runNotices(run: MethodRun): Promise<readonly string[]> {
  return [...(run.notices ?? []), ...((await run.lateNotices?.()) ?? [])];
}
