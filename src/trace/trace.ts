/** What a probe run reads: one layer's tensors over the whole text, as full attention saw them. */
import type { Ops, RotationTable, RowScalars, ScoreRule } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import type { Calibration } from '../model/calibration';
import type { Capture } from '../model/capture/capture';
import type { KeyValueProjection } from '../model/decoder/project';
import type { Rope } from '../model/decoder/rope';
import type { Rereading } from './rereading';

/**
 * Of queries and keys a text may keep the un-rotated ones only: `query` and `key` are then made when they are read, into space that
 * a few layers share. Read them where the work on them is encoded, and keep neither while something else may run.
 */
export interface LayerTrace {
  readonly layer: number;
  /** [H, T, d], rotary positions applied. */
  readonly query: Rows;
  /** Null: a capture without them. */
  readonly queryUnrotated: Rows | null;
  /** [G, T, d]. */
  readonly key: Rows;
  readonly keyUnrotated: Rows | null;
  readonly value: Rows;
  /** [T, D]: what the layer projects queries, keys and values from. Null: recorded without, as every capture is. */
  readonly hidden: Rows | null;
  /** Full attention's row log-sum-exp, [H, T]. */
  readonly logSumExp: RowScalars;
  /**
   * Tokens that each query sees, its own included, where the layer sees a window by itself: full attention is that of the window there,
   * and methods leave the layer as it is. Absent: all before it.
   */
  readonly window?: number;
}

/** The layers that methods choose in: those that see all tokens by themselves. */
export function layersOfMethods(layerTraces: readonly LayerTrace[]): LayerTrace[] {
  return layerTraces.filter(({ window }) => window === undefined);
}

/** The windows that layers see by themselves, by layer. */
export function windowsOf({ layerTraces }: Pick<Trace, 'layerTraces'>): ReadonlyMap<number, number> {
  return new Map(layerTraces.filter(hasWindow).map(({ layer, window }) => [layer, window]));
}

/** Whether a layer sees a window by itself. */
export function hasWindow(layerTrace: LayerTrace): layerTrace is LayerTrace & { readonly window: number } {
  return layerTrace.window !== undefined;
}

/** A text as full attention saw it: from a model's forward pass or from a capture. Layers may be missing in a capture. */
export interface Trace {
  readonly ops: Ops;
  /** Layers of the model; `layerTraces` holds those that are there, ascending. */
  readonly layers: number;
  readonly tokens: number;
  /** First token of the answer, whose tokens are read one by one; null: the text has none. */
  readonly answerStart: number | null;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly scores: ScoreRule;
  rotationOf(layer: number): RotationTable | null;
  /** The settings that a layer's table was made from; null: no rotary positions, or a capture that does not say. */
  ropeOf(layer: number): Rope | null;
  readonly positionOffset: number;
  readonly trainedTokens: number | null;
  readonly calibration: Calibration | null;
  readonly layerTraces: readonly LayerTrace[];
  /** A layer's output projection W_O, [D, H·d] as the decoder has it; null: a capture without it. */
  readonly outputWeight: (layer: number) => Rows | null;
  /** What a capture brings for methods beside queries, keys and values; null: nothing of that name. */
  readonly injected: Capture['injected'];
  /** How the model makes keys and values of hidden states; null: a capture, which does not know. */
  readonly projection: KeyValueProjection | null;
  /** The model, to read on behind a part of the text; null: a capture, or nobody said which tokens the text has. */
  readonly rereading: Rereading | null;
}
