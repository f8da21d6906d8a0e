/**
 * ESA's compression of queries and keys (arXiv 2502.14477, section 3.1, Eqs. 5–7), one linear map each per layer, in the folded
 * space of d_G = G·d channels: f_s = Σ_g (Σ_{h∈g} q_h)·k_g, so no map of all H·d query channels can do better.
 */
import type { Ops } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { matrixRows } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import type { Calibration } from '../../model/calibration';
import type { LayerTrace } from '../../trace/trace';
import { inTurns } from '../in-turns';
import type { MethodContext, Remembered, ScoreMemo } from '../method';
import { choiceOf, type Parameters } from '../parameters';
import { inBuffers } from '../remember';
import type { ClosedForm } from './closed-form';
import { momentsOf } from './moments';
import { lengthsIn, scoresRotated } from './schema';

export interface Projection extends Remembered {
  /** Names this projection among those of the layer. */
  readonly name: string;
  /** Position that folded queries are rotated to before `queryMap`; null: not rotated. */
  readonly rotation: number | null;
  /** [d', d_G]. */
  readonly queryMap: Rows;
  readonly queryBias: DeviceBuffer | null;
  readonly keyMap: Rows;
}

export interface Projections {
  /** On the device, from the memo: valid as long as what comes from there. */
  of(layer: number): Projection;
  /** What had to be assumed, for people. */
  readonly notices: readonly string[];
}

/** A projection off the device. */
interface Maps {
  readonly name: string;
  readonly rotation: number | null;
  readonly rows: number;
  readonly channels: number;
  /** [d', d_G]. */
  queryMap(): Float32Array;
  readonly queryBias: Float32Array | null;
  keyMap(): Float32Array;
}

/**
 * The projections of all layers that will be asked for: those of `layerTraces`, or all where there is no trace. Throws UserError
 * when the model brings none and none can be computed.
 */
export async function prepareProjections(
  context: MethodContext,
  parameters: Parameters,
  memo: ScoreMemo,
  layerTraces: readonly LayerTrace[] | null,
  signal?: AbortSignal,
): Promise<Projections> {
  const wanted =
    layerTraces?.map(({ layer }) => layer) ?? Array.from({ length: context.layers }, (_, layer) => layer);
  const maps = new Map<number, Maps>();
  const notices = new Set<string>();
  const make = choiceOf(parameters, 'projection') === 'learned' ? learned : closedFormOf;
  for (const layer of wanted) {
    signal?.throwIfAborted();
    const source = layerTraces?.find((entry) => entry.layer === layer) ?? null;
    const notice = (sentence: string): void => void notices.add(sentence);
    maps.set(layer, await make(context, parameters, layer, source, notice, signal));
    await context.ops.pace();
  }
  return {
    of(layer) {
      const found = maps.get(layer);
      if (!found) throw new Error(`no projection was prepared for layer ${layer}`);
      return memo.get(`esa/projection/${found.name}/${layer}`, () => upload(context.ops, layer, found));
    },
    notices: [...notices],
  };
}

type MakeProjection = (
  context: MethodContext,
  parameters: Parameters,
  layer: number,
  source: LayerTrace | null,
  notice: (sentence: string) => void,
  signal: AbortSignal | undefined,
) => Promise<Maps>;

/** Weights that ship with the model, for the position closest to w. */
const learned: MakeProjection = async (context, parameters, layer, _source, notice) => {
  const { calibration } = context;
  const { compressedDim, globalPosition } = lengthsIn(parameters, layer);
  const available = calibration?.learned ?? [];
  if (!calibration || available.length === 0) {
    throw new UserError(
      'esa: this model brings no learned projection; use projection "closed-form" or "exact".',
    );
  }
  const fitting = available.filter(({ dimension }) => dimension === compressedDim);
  if (fitting.length === 0) {
    const dimensions = [...new Set(available.map(({ dimension }) => dimension))].join(', ');
    throw new UserError(
      `esa: there is no learned projection to ${compressedDim} channels; set compressedDim to one of ${dimensions}.`,
    );
  }
  const table = context.rotationOf(layer);
  const wanted = table ? globalPosition : 0;
  const positions = table?.positions ?? 1;
  const reached = fitting.filter(({ rotation }) => rotation < positions);
  if (reached.length === 0) {
    throw new UserError(
      `esa: the learned projections are for w = ${fitting.map(({ rotation }) => rotation).join(', ')}, beyond this text; use projection "closed-form".`,
    );
  }
  const distance = (rotation: number): number => Math.abs(rotation - wanted);
  const nearest = reached.reduce((a, b) => (distance(b.rotation) < distance(a.rotation) ? b : a));
  if (nearest.rotation !== wanted) {
    notice(
      `The projection was learned for w = ${nearest.rotation}; queries are scored there, not at ${wanted}.`,
    );
  }
  const weights = calibration.learnedProjection(layer, nearest.rotation, compressedDim)!;
  return {
    name: `learned/${compressedDim}/${nearest.rotation}`,
    rotation: nearest.rotation === 0 ? null : nearest.rotation,
    rows: compressedDim,
    channels: weights.queryWeight.length / compressedDim,
    queryMap: () => weights.queryWeight,
    // b_φ adds the same to all scores of a query, which Eq. 4 takes away again.
    queryBias: weights.queryBias,
    keyMap: () => weights.keyWeight,
  };
};

/** The closed form of the model's calibration, or of the open text. */
const closedFormOf: MakeProjection = async (context, parameters, layer, source, notice, signal) => {
  const { compressedDim, globalPosition } = lengthsIn(parameters, layer);
  const table = context.rotationOf(layer);
  const farthest = (table?.positions ?? 0) - 1;
  // A text that does not reach to w has no far tokens, and nothing is scored.
  const rotation = table && scoresRotated(parameters) ? Math.min(globalPosition, farthest) : null;
  const calibration = context.calibration?.hasSecondMoments ? context.calibration : null;
  if (!calibration) notice('Second moments are those of this text: the model brings none.');
  const form = await cachedForm(context, layer, rotation, calibration, source, signal);
  const rows = Math.min(compressedDim, form.channels);
  const cut = (map: Float64Array): Float32Array => Float32Array.from(map.subarray(0, rows * form.channels));
  return {
    name: `closed-form/${rows}/${rotation}`,
    rotation,
    rows,
    channels: form.channels,
    queryMap: () => cut(form.queryMap),
    queryBias: null,
    keyMap: () => cut(form.keyMap),
  };
};

/** Closed forms by what their moments come from: the eigenproblems take longer than a move of d' should. */
const forms = new WeakMap<Calibration | LayerTrace, Map<string, ClosedForm>>();

async function cachedForm(
  { ops, rotationOf, headDimension }: MethodContext,
  layer: number,
  rotation: number | null,
  calibration: Calibration | null,
  source: LayerTrace | null,
  signal: AbortSignal | undefined,
): Promise<ClosedForm> {
  const owner = calibration ?? source;
  if (!owner) {
    throw new UserError(
      'esa: the model brings no second moments and no text is recorded; use projection "exact".',
    );
  }
  const known = forms.get(owner) ?? new Map<string, ClosedForm>();
  forms.set(owner, known);
  const name = `${layer}/${rotation}`;
  const found = known.get(name);
  if (found) return found;
  const moments = calibration ? calibration.secondMoments(layer) : await momentsOf(ops, source!);
  if (!moments) {
    throw new UserError(
      'esa needs queries and keys before rotation, which this capture lacks; choose another method.',
    );
  }
  // Loaded here so that the page, which only lists the methods, does without linear algebra.
  const { closedForm, rotateMoments } = await import('./closed-form');
  let { query } = moments;
  const table = rotationOf(layer);
  if (rotation !== null && table) {
    const at = rotation * table.frequencies;
    const cosine = await ops.readFloats(table.cosine, at, table.frequencies);
    const sine = await ops.readFloats(table.sine, at, table.frequencies);
    query = rotateMoments(query, headDimension, cosine, sine);
  }
  const form = await inTurns(closedForm({ query, key: moments.key }), signal);
  known.set(name, form);
  return form;
}

function upload(ops: Ops, layer: number, maps: Maps): Projection {
  const { name, rotation, rows, channels } = maps;
  const queryMap = ops.upload(maps.queryMap(), `layer ${layer} query projection`);
  const keyMap = ops.upload(maps.keyMap(), `layer ${layer} key projection`);
  const queryBias = maps.queryBias ? ops.upload(maps.queryBias, `layer ${layer} query bias`) : null;
  return inBuffers(ops, [queryMap, keyMap, ...(queryBias ? [queryBias] : [])], {
    name,
    rotation,
    queryMap: matrixRows(queryMap, rows, channels),
    queryBias,
    keyMap: matrixRows(keyMap, rows, channels),
  });
}
