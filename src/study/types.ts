/** What a study is and what it measures: plain data that crosses between worker, store, link and command line. */
import type { Parameters } from '../methods/parameters';

export interface MethodSpec {
  readonly id: string;
  readonly parameters: Parameters;
}

/** Where the text comes from. `sample` names a text under samples/texts. */
export type SourceSpec =
  | {
      readonly kind: 'task';
      readonly task: string;
      readonly tokens: number;
      /** 'spread', or relative depth 0…1. */
      readonly depth: 'spread' | number;
      readonly seed: number;
    }
  | { readonly kind: 'sample'; readonly sample: string; readonly tokens: number | null }
  | { readonly kind: 'text'; readonly text: string };

export interface StudySpec {
  /** 'bundled', or a folder's address. */
  readonly model: string;
  readonly source: SourceSpec;
  readonly method: MethodSpec;
  readonly pinned: readonly MethodSpec[];
  /** First token of `queries`; null: a task's question and answer, otherwise the last ⌈T/8⌉ tokens. 0: all. */
  readonly queriesStart: number | null;
  /** Whether the text begins with the model's start token; null: as the tokenizer itself has it. */
  readonly startToken: boolean | null;
}

export interface ModelFacts {
  readonly name: string;
  readonly digest: string;
  readonly layers: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly vocabularySize: number;
  readonly trainedTokens: number;
  readonly parameterCount: number;
}

/** A task's needle: token range, the words that name it, its value, and whether the question asks for it. */
export interface NeedleFacts {
  readonly start: number;
  readonly end: number;
  readonly label: string;
  readonly value: string;
  readonly asked: boolean;
}

/** How the command line gets a text's ids: from a text that it makes the same ids of, or from the ids themselves. */
export type SavedText = { readonly text: string } | { readonly ids: readonly number[] };

export interface TextFacts {
  readonly tokens: number;
  /** Displayable text of each token. Untrusted: draw as text nodes only. */
  readonly tokenTexts: readonly string[];
  /** Names of the tokens whose text is empty, as they hold a part of a character: "‹e2 9c›". */
  readonly partNames?: Readonly<Record<number, string>>;
  /** Absent in studies that were recorded without it. */
  readonly saved?: SavedText;
  readonly queries: { readonly start: number; readonly end: number };
  /** First token of the answer; null without a task. */
  readonly answerStart: number | null;
  readonly needles: readonly NeedleFacts[];
  readonly notices: readonly string[];
}

export interface HeadMeasurement {
  readonly head: number;
  readonly massRecall: number;
  readonly ownMassRecall: number | null;
  readonly topkRecall: number | null;
  /** Top-k recall of as many candidates kept at random, k ÷ |C|; absent in what earlier versions recorded. */
  readonly topkChance?: number | null;
  readonly outputError: number;
  readonly outputErrorAsRun: number;
}

export interface LayerMeasurement {
  readonly layer: number;
  /** Means over `queries` of keys seen and keys that full attention sees. */
  readonly keptKeys: number;
  readonly visibleKeys: number;
  /** Mean over `queries` of keys seen / keys that full attention sees; what a sweep calls kept. */
  readonly keptShare: number;
  readonly massRecall: number;
  readonly ownMassRecall: number | null;
  readonly topkRecall: number | null;
  /** Top-k recall of as many candidates kept at random, k ÷ |C|; absent in what earlier versions recorded. */
  readonly topkChance?: number | null;
  /** Of how many queries × heads top-k recall is a mean: those with some candidates kept and others dropped; absent likewise. */
  readonly topkRows?: number;
  readonly selectorRecall: number | null;
  readonly selectorRecallPerQuery: number | null;
  readonly outputError: number;
  readonly outputErrorAsRun: number;
  /**
   * Of all heads together after the output projection, its bias left out; null for a capture, which has no projection; absent in
   * what earlier versions recorded.
   */
  readonly outputErrorProjected?: number | null;
  /** Largest over the blocks of `queries`; null where nothing was cut. */
  readonly tiedAtCut: number | null;
  readonly heads: readonly HeadMeasurement[];
}

/** By formula, means over `queries` summed over layers; see src/measure/cost.ts. */
export interface CostMeasurement {
  readonly density: number;
  readonly fullAttentionOperations: number;
  readonly selectionOperations: number;
  readonly attentionOperations: number;
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

export interface AnswerMeasurement {
  readonly text: string;
  readonly right: boolean;
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

/** From where on a generated text differs from another one: a token's index in it, and what stands there in both (null: nothing more). */
export interface Difference {
  readonly token: number;
  readonly written: string | null;
  readonly expected: string | null;
}

/** What a free run's selections kept of a needle that the question asks for. */
export interface NeedleKept {
  /** Digits of the needle's value that a query of this run was to write. */
  readonly digits: number;
  /** How many of them the query that writes each saw, by layer and head. */
  readonly kept: readonly (readonly number[])[];
}

/** The attention step of the prompt, all layers, selection included: repeated, full attention and the method in turn. */
export interface TimeMeasurement {
  readonly pairs: number;
  /** Medians. */
  readonly full: Measured;
  readonly method: Measured;
  /** Full attention's time ÷ the method's, of the pairs: above 1 the method is faster. */
  readonly ratio: { readonly median: number; readonly low: number; readonly high: number };
  /** By formula, of the same tokens, all layers. */
  readonly operations: { readonly full: number; readonly method: number };
}

export interface FreeRunMeasurement {
  /** Means over `queries`, nats; losses are null where no query has a next token. */
  readonly divergenceNats: number;
  readonly top1Agreement: number;
  readonly lossFullNats: number | null;
  readonly lossNats: number | null;
  readonly lossDifferenceNats: number | null;
  /** Per query token, in order. */
  readonly divergenceByToken: readonly number[];
  /** The queries before those that predict the answer, and those; null without an answer, or where there are none of them. */
  readonly question: DivergencePart | null;
  readonly answerPart: DivergencePart | null;
  readonly expectedAnswer: string | null;
  readonly fullAnswer: AnswerMeasurement | null;
  readonly answer: AnswerMeasurement | null;
  /** The tokens that were generated: a task's answer, or the continuation of another text. */
  readonly generatedTexts: { readonly full: readonly string[]; readonly method: readonly string[] } | null;
  /** Where the method's generated text leaves the expected answer; without one, where it leaves full attention's. */
  readonly differsAt: Difference | null;
  /** One entry for each needle that is asked for, in the order of the text; null without needles. */
  readonly needles: readonly NeedleKept[] | null;
  /** Null: not measured (yet, or because it would take too long). */
  readonly time: TimeMeasurement | null;
}

export interface SweepPoint {
  /** Asked: fraction of T. */
  readonly keep: number;
  /** Measured: mean over layers and `queries` of kept / visible keys. Null below the method's floor, and where `reason` says why. */
  readonly kept: number | null;
  readonly massRecall: number | null;
  /** Mass recall of each layer; null where `kept` is. */
  readonly layers: readonly number[] | null;
  /** Present when keep is below what the method can do: the smallest fraction it can. */
  readonly floor?: number;
  /** Whether the method answered this text right at this point; null or absent: not run. */
  readonly right?: boolean | null;
  /** Present where no budget means anything: one sentence. */
  readonly reason?: string;
}

/** Which points of a method's curve are answered right, as far as that was run. */
export interface CurveAnswers {
  /** The curve's method. */
  readonly method: MethodSpec;
  readonly rights: readonly { readonly keep: number; readonly right: boolean }[];
  /** Free runs done, and asked for in all. */
  readonly done: number;
  readonly total: number;
}

export interface SweepCurve {
  readonly method: MethodSpec;
  /** The study's own method, not a pinned one. */
  readonly current: boolean;
  readonly points: readonly SweepPoint[];
}

export interface Measurements {
  readonly queries: { readonly start: number; readonly end: number };
  readonly layers: readonly LayerMeasurement[];
  readonly cost: CostMeasurement | null;
  readonly freeRun: FreeRunMeasurement | null;
  readonly sweep: readonly SweepCurve[] | null;
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
  /** Read since the eviction. */
  | 'since';

/** What decided about the keys before a query's block. */
export interface RowRule {
  /**
   * 'scores': top-k. 'place': where a key stands. 'lot': chance. The others dropped nothing: 'everything', because the method never
   * does; 'not-yet', because it has not come to it; 'room', because the budget has room for all.
   */
  readonly kind: 'scores' | 'place' | 'lot' | 'everything' | 'not-yet' | 'room';
  /** Scores are compared within partitions of so many tokens, the first of which begins at `start`; null: all with all. */
  readonly partitions: { readonly start: number; readonly tokens: number } | null;
  /** Token before which a method that evicts once has done so; null: it has not, or is of another kind. */
  readonly evictedAt: number | null;
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
];

/** A rectangle of the map: query rows [rowStart, rowEnd), key columns [columnStart, columnEnd). */
export interface MapRegion {
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnStart: number;
  readonly columnEnd: number;
}

export interface MapRequest extends MapRegion {
  readonly layer: number;
  readonly head: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels of a map region, row-major [height, width]. */
export interface MapTile extends MapRequest {
  readonly maximum: Float32Array;
  readonly mean: Float32Array;
  /** From 1 on: one of the pixel's cells is missed if it is dropped (PooledLines). */
  readonly excess: Float32Array;
  /** Share of the pixel's causal cells that the method keeps, 0…1; null while the selection is not there. */
  readonly kept: Float32Array | null;
  /** 1: every row evaluated; n: every n-th query row of a pixel. */
  readonly rowStep: number;
}

/** Thumbnails of all layers × heads: dense [layers, heads, size, size] of pooled maximum. */
export interface Thumbnails {
  readonly size: number;
  readonly layers: number;
  readonly heads: number;
  readonly maximum: Float32Array;
  readonly rowStep: number;
}

export interface BackendFacts {
  readonly name: 'starting' | 'webgpu' | 'cpu';
  /** Adapter or processor, for people. */
  readonly description: string;
  /** Why this backend, in one sentence. */
  readonly reason: string;
}

export interface Progress {
  /** What runs, e.g. "reading 512 of 1,024 tokens"; empty when nothing runs. */
  readonly label: string;
  readonly fraction: number;
  readonly expectedSeconds: number | null;
}
