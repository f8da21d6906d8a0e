/**
 * The contract of a selection method: a rule that decides which keys a query may see.
 *
 * A method is written once against gpu/ops.ts. `start` makes a run; the caller then visits, per layer, the blocks in
 * ascending order: `select` → (attention, by `attend` or the default) → `finish`. Probe runs go layer by layer over recorded
 * tensors, free runs block by block over a growing cache; a method cannot tell the difference.
 */
import type { IndexList, Ops, RotationTable, RowScalars, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import type { Calibration } from '../model/calibration';
import type { ParameterContext, Parameters, ParameterSchemas } from './parameters';

/** Consecutive queries [start, end) that share one decision. */
export interface QueryBlock {
  readonly start: number;
  readonly end: number;
}

/** What one layer offers a method: the block's queries, and keys and values of tokens [0, block.end). */
export interface LayerInput {
  readonly layer: number;
  readonly block: QueryBlock;
  /** [H, block, d], rotary positions applied as the model does. */
  readonly query: Rows;
  /** [H, block, d] before rotation; equals `query` for models without rotary positions. Null: a capture without them. */
  readonly queryUnrotated: Rows | null;
  /** [G, block.end, d]. */
  readonly key: Rows;
  readonly keyUnrotated: Rows | null;
  readonly value: Rows;
  /**
   * Full attention's log-sum-exp of the block's queries over tokens ≤ their own, [H, block]; for methods with `needs.fullAttention`
   * only (null otherwise).
   */
  readonly logSumExp: RowScalars | null;
}

/** The keys that a block's queries see: `list`, then every token of [rangeStart, own position]. */
export interface Selection {
  /** Ascending indices below rangeStart; null when there are none. */
  readonly list: IndexList | null;
  readonly rangeStart: number;
  /**
   * Tokens whose fate the scores decided, [start, end); everything else below the block was kept or dropped whatever the scores.
   * Empty (start = end) when nothing was decided.
   */
  readonly candidates: { readonly start: number; readonly end: number };
  /** What top-k ran on; entry 0 of each row belongs to token `scoreStart`. Null where nothing was scored. */
  readonly score: { readonly rows: ScoreRows; readonly scoreStart: number } | null;
  /** One count per set of `list`: candidates equal to the last one kept. Null where nothing was cut. */
  readonly tiedAtCut: { readonly buffer: DeviceBuffer; readonly offset: number; readonly sets: number } | null;
  /** Buffers that belong to this selection alone and can be released with it. */
  readonly owned: readonly DeviceBuffer[];
}

export interface MethodContext {
  readonly ops: Ops;
  readonly layers: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly attentionScale: number;
  /** Rotary table of the model; null: no rotary positions. Covers at least positions 0 … totalTokens. */
  readonly rotation: RotationTable | null;
  /** Position of token 0 (captures may start later). */
  readonly positionOffset: number;
  readonly trainedTokens: number | null;
  /** Tokens of the whole text, the capacity of the run included. */
  readonly totalTokens: number;
  /** First token of `queries`; where methods that evict once do so. totalTokens: after everything. */
  readonly evictAt: number;
  readonly calibration: Calibration | null;
}

/** State of one run of a method over all layers. */
export interface MethodRun {
  /** Decides what the block sees. Called per layer in ascending order of blocks. An empty block at T asks what stays for a next token. */
  select(input: LayerInput): Selection;
  /**
   * Attention of the block under this method's own positions, where those differ from the model's; default (absent): the
   * model's positions on the kept keys. `positions`: 'model' is never asked of it.
   */
  attend?(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void;
  /** After the block has attended: methods that evict while they read do it here. */
  finish?(input: LayerInput, selection: Selection): void;
  /** The exact score's choice where `select` used an approximation, for selector recall. Null: no approximation here. */
  selectExactly?(input: LayerInput): Selection | null;
  /**
   * Per-query scores of the candidates before any pooling (paper's Fig. 2): dense [block, candidates] for the approximation and
   * the exact score. Null when there is nothing approximate or no candidate. The caller releases both.
   */
  queryScores?(input: LayerInput): { approximate: DeviceBuffer; exact: DeviceBuffer; candidates: number; count: number } | null;
  /** Remembers the state of all layers / returns to what was remembered (the tokens after it are forgotten). */
  mark(): void;
  rewind(): void;
  dispose(): void;
}

/** Operations (multiply and add counted apart) of the attention step, and bytes of cache, by formula. */
export interface BlockCost {
  /** Scoring and projection. */
  readonly selectionOperations: number;
  readonly attentionOperations: number;
  /** Bytes a decode step at this point reads from the caches of one layer, 4 bytes a number stated in the UI. */
  readonly readBytes: number;
}

export interface Method {
  readonly id: string;
  readonly title: string;
  /** One sentence: what it does. */
  readonly summary: string;
  readonly citation: { readonly authors: string; readonly year: number; readonly url: string } | null;
  /** 'reselect': decides anew for every block; 'evict-once': at evictAt; 'evict-reading': while it reads. */
  readonly family: 'dense' | 'reselect' | 'evict-once' | 'evict-reading';
  readonly needs: { readonly unrotated: boolean; readonly fullAttention: boolean };
  readonly parameters: ParameterSchemas;
  /** Things to know before believing the numbers (reconstructions, departures), shown beside the controls. */
  readonly notes?: (parameters: Parameters, context: ParameterContext) => readonly string[];
  /** Checks that need several parameters at once; throws UserError. */
  validate?(parameters: Parameters, context: ParameterContext): void;
  /** The blocks of a text of `tokens`, from token 0, ascending, without holes. */
  blocks(parameters: Parameters, tokens: number, evictAt: number): QueryBlock[];
  start(context: MethodContext, parameters: Parameters): MethodRun;
  /** Cost of one query at position `position` in a block that starts at `block.start`, per layer. */
  cost(parameters: Parameters, context: ParameterContext, layer: number, block: QueryBlock, evictAt: number): BlockCost;
  /**
   * Parameters that keep at most `budget` earlier keys, the block's own on top; null below the method's floor.
   * design.md, "sweep --keep f".
   */
  withBudget(
    parameters: Parameters,
    context: ParameterContext,
    keepFraction: number,
  ): { readonly parameters: Parameters } | { readonly floor: number };
}
