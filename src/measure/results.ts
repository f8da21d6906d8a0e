/** What is measured of a method over a text, layer by layer and row by row: plain data. */
import type { Comparison, PatternFinding, Spectra, SubCache, UnitName } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';

export interface HeadMeasurement {
  readonly head: number;
  /** Null where the layer has a `reason`. */
  readonly massRecall: number | null;
  readonly ownMassRecall: number | null;
  readonly topkRecall: number | null;
  /** Top-k recall of as many candidates kept at random, k ÷ |C|. */
  readonly topkChance: number | null;
  readonly outputError: number;
  readonly outputErrorAsRun: number;
}

export interface LayerMeasurement {
  readonly layer: number;
  /** Tokens that it sees by itself, where it has a window: the method leaves it as it is, and it counts in no mean over layers. */
  readonly window?: number;
  /** Means over `queries` of keys (rows of the cache) seen and keys that full attention sees. */
  readonly keptKeys: number;
  readonly visibleKeys: number;
  /** Mean over `queries` of keys seen / keys that full attention sees; what a sweep calls kept. */
  readonly keptShare: number;
  /** Null where `reason` says why. */
  readonly massRecall: number | null;
  readonly ownMassRecall: number | null;
  readonly topkRecall: number | null;
  /** Top-k recall of as many candidates kept at random, k ÷ |C|. */
  readonly topkChance: number | null;
  /** Of how many queries × heads top-k recall is a mean: those with some candidates kept and others dropped. */
  readonly topkRows: number;
  readonly selectorRecall: number | null;
  readonly selectorRecallPerQuery: number | null;
  readonly outputError: number;
  readonly outputErrorAsRun: number;
  /** Of all heads together after the output projection, its bias left out; null for a capture, which has no projection. */
  readonly outputErrorProjected: number | null;
  /** Largest over the blocks of `queries`; null where nothing was cut. */
  readonly tiedAtCut: number | null;
  /** Present where recall by tokens means nothing: one sentence. Mass, own mass and top-k recall then are null. */
  readonly reason?: string;
  /** Present where the method cuts the singular values of the maps that keys and values are made with. */
  readonly spectra?: Spectra;
  /** Present where a pattern was searched for each query head. */
  readonly patterns?: PatternFinding;
  readonly heads: readonly HeadMeasurement[];
}

/** By formula, means over `queries` summed over layers, except `onceOperations`; see src/measure/cost.ts. */
export interface CostMeasurement {
  readonly density: number;
  readonly fullAttentionOperations: number;
  readonly selectionOperations: number;
  readonly attentionOperations: number;
  /** What an eviction takes once for the text, all layers, with the scores it goes by. No part of the others. */
  readonly onceOperations: number;
  /** The whole forward pass of one query token, with full attention and with the method. */
  readonly forwardOperationsFull: number;
  readonly forwardOperations: number;
  /** What a decode step at each query's place reads, the query being a block of one. */
  readonly decodeReadBytesFull: number;
  readonly decodeReadBytes: number;
  /** The attention step, selection included, as the method's own paper counts it; null: its paper does not (all but ESA). */
  readonly paperOperations: { readonly full: number; readonly method: number } | null;
}

export interface Measured {
  readonly milliseconds: number;
  readonly clock: 'timestamp' | 'wall';
}

/** How far a run's next-token distributions are from full attention's. */
export interface Divergence {
  /** Means over `queries`, nats; losses are null where no query has a next token. */
  readonly divergenceNats: number;
  readonly top1Agreement: number;
  readonly lossFullNats: number | null;
  readonly lossNats: number | null;
  readonly lossDifferenceNats: number | null;
  /** Per query token, in order. */
  readonly divergenceByToken: readonly number[];
}

/** Divergence of some of the queries: tokens [start, end). */
export interface DivergencePart {
  readonly start: number;
  readonly end: number;
  readonly meanNats: number;
  readonly medianNats: number;
  /** Share of the queries above 0.1 nats. */
  readonly shareAbove: number;
  readonly top1Agreement: number;
}

export interface SweepPoint {
  /** Asked: fraction of T. */
  readonly keep: number;
  /** Measured: mean over layers and `queries` of kept / visible keys. Null below the method's floor, and where `reason` says why. */
  readonly kept: number | null;
  readonly massRecall: number | null;
  /** Mass recall of each layer, null of one that sees a window by itself; null where `massRecall` is. */
  readonly layers: readonly (number | null)[] | null;
  /** Present when keep is below what the method can do: the smallest fraction it can. */
  readonly floor?: number;
  /** Whether the method answered this text right at this point; null or absent: not run. */
  readonly right?: boolean | null;
  /** Present where no budget means anything, or recall by tokens does not (`kept` then is measured): one sentence. */
  readonly reason?: string;
}

export interface SweepCurve {
  readonly method: MethodSpec;
  /** The study's own method, not a pinned one. */
  readonly current: boolean;
  readonly points: readonly SweepPoint[];
}

/** Why a key is or is not seen by a query. */
export type KeyFate =
  | 'future'
  | 'own-block'
  /** Kept for its place, before the block: the last ones. */
  | 'local'
  | 'sink'
  | 'selected'
  | 'dropped'
  /** Kept because nothing was dropped. */
  | 'undecided'
  /** Read since the eviction, or since what else was done once for a text. */
  | 'since'
  /** Not in the cache as itself: mixed with others into its rows. */
  | 'mixed';

/** What decided about the keys before a query's block. */
export interface RowRule {
  /**
   * 'scores': top-k. 'pattern': that of the query's head. 'place': where a key stands. 'head': the same, in heads that do not keep everything.
   * 'neighbour': the score beside that of one neighbour. 'lot': chance. 'file': a list from elsewhere. The others dropped nothing: 'everything', because the method never
   * does; 'not-yet', because it has not come to it; 'room', because the budget has room for all; 'dense-layer', because
   * it leaves the layer dense; 'dense-before' and 'dense-after', because it decides for later or for earlier queries only. 'window': the
   * layer sees a window by itself, and the method leaves it as it is.
   */
  readonly kind:
    | 'scores'
    | 'place'
    | 'head'
    | 'pattern'
    | 'neighbour'
    | 'lot'
    | 'file'
    | 'everything'
    | 'not-yet'
    | 'room'
    | 'dense-layer'
    | 'dense-before'
    | 'dense-after'
    | 'window';
  /** Scores are compared within partitions of so many tokens, the first of which begins at `start`; null: all with all. */
  readonly partitions: { readonly start: number; readonly tokens: number } | null;
  /** Token before which a method that evicts once has done so; null: it has not, or is of another kind. */
  readonly evictedAt: number | null;
  /** Token at which the part of the text ends that a method looked at once, without evicting. Absent: there is none. */
  readonly readSince?: number;
  /** The pattern that the query's head reads by, as a clause; there where `kind` is 'pattern'. */
  readonly pattern?: string;
  /** What is kept or dropped together: so many tokens from `start` on; null: not consecutive ones. */
  readonly unit?: {
    readonly name: UnitName;
    readonly tokens: { readonly start: number; readonly each: number } | null;
  };
  /** What scores above it stays. Absent: so many of the best do. */
  readonly threshold?: number;
  /** Why keys without a score are gone, as a clause. */
  readonly droppedEarlier?: string;
  /** In two stages: the best by a score, then of the others the best by that times a factor, in words. `scores` are the second stage's. */
  readonly stages?: { readonly score: string; readonly factor: string };
  /** There where `kind` is 'neighbour': what sub-caches hold before the block, from it back. */
  readonly subCaches?: readonly SubCache[];
  /** There, too: whom each dropped key lost to when one of two had to go. */
  readonly comparisons?: readonly Comparison[];
}

/** One query row of one head, for the token strip and the question "why was it missed". */
export interface QueryRow {
  /** Whose selection it is. */
  readonly method: MethodSpec;
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  /**
   * Whose positions `weights` are under: the model's, or the method's own of every key. 'cache': the method gives dropped keys no
   * position, and the model's say nothing past the trained length, so no weight is shown and nothing is missed.
   */
  readonly positions: 'model' | 'own' | 'cache';
  /** Full attention's probability of each token; [T]. */
  readonly weights: Float32Array;
  /** What of that is tokens 0 to 3: it decides which dropped keys are missed (src/measure/missed.ts). */
  readonly firstWeight: number;
  /** KeyFate by token, as index into KEY_FATES. */
  readonly fates: Uint8Array;
  readonly rule: RowRule;
  /** The method's score of each candidate, NaN for keys that no score decided about; [T]. Null: no score decided. */
  readonly scores: Float32Array | null;
  /** What breaks ties of `scores`; null: the lower index alone. */
  readonly secondary: Float32Array | null;
}

/** New ones come last: recorded rows hold places in this list. */
export const KEY_FATES: readonly KeyFate[] = [
  'future',
  'own-block',
  'local',
  'sink',
  'selected',
  'dropped',
  'undecided',
  'since',
  'mixed',
];
