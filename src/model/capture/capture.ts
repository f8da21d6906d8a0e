import { UserError } from '../../base/user-error';
import { ropeOf, ropesIn } from '../architectures/config';
import { inverseRotate, type Rope } from '../decoder/rope';
import type { StoredSafetensors } from '../files/safetensors';
import { type TensorToWrite, writeSafetensors } from '../files/safetensors-writer';
import { shapesEqual, shapeText } from '../files/tensor-source';
import { type Injected, readAllInjected } from './injected';
import { type CaptureMetadata, captureMetadataStrings, parseCaptureMetadata } from './metadata';

/** Queries, keys and values of one layer: query [H, T, d], key and value [G, T, d], rotary positions applied. */
export interface CaptureLayer {
  query: Float32Array;
  key: Float32Array;
  value: Float32Array;
  /** The same before rotation; null where the capture has neither them nor the settings to compute them. */
  queryUnrotated: Float32Array | null;
  keyUnrotated: Float32Array | null;
}

/** A recorded source of attention: the contract is docs/captures.md, "Captures". */
export interface Capture {
  /** Layers of the model; the capture may hold a part of them. */
  layers: number;
  /** The layers that are there, ascending. */
  presentLayers: number[];
  /** T. */
  tokens: number;
  /** H. */
  queryHeads: number;
  /** G. */
  keyValueHeads: number;
  /** d. */
  headDimension: number;
  attentionScale: number;
  /** c of scores c·tanh(q·k·scale/c); absent: scores have no cap. */
  softCap?: number;
  rope: Rope | null;
  /** By layer, where layers differ; null: a layer without positions. */
  layerRopes?: readonly (Rope | null)[];
  /** By layer: tokens that each query sees, its own included; null: all before it. */
  windows?: readonly (number | null)[];
  /** Position of the first token. */
  positionOffset: number;
  /** First token of the answer; null: none is known. */
  answerStart: number | null;
  /** The longest text that the model was trained on; null: not known. */
  trainedTokens: number | null;
  model: string | null;
  tokenTexts: string[] | null;
  inputIds: Int32Array | null;
  /** Why some layer has no un-rotated queries or keys, in a sentence; null if all have them. */
  unrotatedMissing: string | null;
  notices: string[];
  /**
   * Reads a present layer. The arrays may be views of the file: read only. Un-rotated ones that are not in the file are
   * computed at each call. UserError if a value is not finite.
   */
  layer(index: number): Promise<CaptureLayer>;
  /** What the file brings for methods beside these, of a present layer; null: nothing of that name. */
  injected: Injected;
  /** Rows of the output projections [D, H·d], which all present layers have; 0: none has one. */
  outputRows: number;
  /** A present layer's output projection; there if `outputRows` is not 0. UserError if a value is not finite. */
  outputProjection(layer: number): Promise<Float32Array>;
}

/** Checks a capture as a whole: names, shapes and metadata. Tensors it does not know are ignored. UserError if unsound. */
export async function readCapture(file: StoredSafetensors): Promise<Capture> {
  const presentLayers = findLayers(file);
  const headSize = presentLayers.length > 0 ? file.shape(`query.${presentLayers[0]}`)[2] : undefined;
  const { notices, ...metadata } = parseCaptureMetadata(file.metadata, headSize);
  if (presentLayers.length === 0) {
    throw new UserError('The file is no capture: it has no tensor query.0, or of any other layer.');
  }
  const last = presentLayers[presentLayers.length - 1]!;
  const layers = metadata.layers ?? last + 1;
  if (last >= layers) {
    throw new UserError(
      `The capture has query.${last}, but its metadata says that the model has ${layers} layers.`,
    );
  }
  const [queryHeads = 0, tokens = 0, headDimension = 0] = shapeOf(file, `query.${presentLayers[0]}`);
  const [keyValueHeads = 0] = shapeOf(file, `key.${presentLayers[0]}`);
  if (queryHeads % keyValueHeads !== 0) {
    throw new UserError(
      `The capture has ${queryHeads} query heads, no multiple of its ${keyValueHeads} key-value heads.`,
    );
  }
  const queryShape = [queryHeads, tokens, headDimension];
  const keyShape = [keyValueHeads, tokens, headDimension];
  for (const layer of presentLayers) checkLayer(file, layer, queryShape, keyShape);
  const outputRows = readOutputRows(file, presentLayers, queryHeads * headDimension);
  const { rope, layerRopes, softCap, windows, positionOffset } = metadata;
  if (
    ropesIn({ rope, layerRopes }).some(({ rotatedChannels = headDimension }) => rotatedChannels % 2 !== 0)
  ) {
    throw new UserError(
      `The capture has heads of ${headDimension} channels; rotary positions need an even number.`,
    );
  }
  for (const [name, list] of Object.entries({ rope_layers: layerRopes, window: windows })) {
    if (!list || list.length === layers) continue;
    throw new UserError(`The capture's ${name} has ${list.length} entries for ${layers} layers.`);
  }
  const injected = await readAllInjected(file, presentLayers, {
    tokens: tokens!,
    queryHeads,
    keyValueHeads,
    headDimension,
  });
  const isKnown = rope !== null || layerRopes !== undefined;
  const unrotate = (x: Float32Array, layer: number) => {
    const own = ropeOf({ rope, layerRopes }, layer);
    if (own) return inverseRotate(x, tokens, own, headDimension, positionOffset);
    return isKnown ? x : null;
  };
  const complete = presentLayers.every(
    (layer) => file.has(`query_unrotated.${layer}`) && file.has(`key_unrotated.${layer}`),
  );
  return {
    layers,
    presentLayers,
    tokens,
    queryHeads,
    keyValueHeads,
    headDimension,
    attentionScale: metadata.attentionScale ?? 1 / Math.sqrt(headDimension),
    rope,
    ...(softCap !== undefined && { softCap }),
    ...(layerRopes && { layerRopes }),
    ...(windows && { windows }),
    positionOffset,
    answerStart: checkAnswerStart(metadata.answerStart, tokens!),
    trainedTokens: metadata.trainedTokens,
    model: metadata.model,
    tokenTexts: checkLength('tokens', metadata.tokenTexts, tokens!),
    inputIds: await readInputIds(file, tokens!),
    unrotatedMissing:
      complete || isKnown
        ? null
        : 'The capture has no un-rotated queries and keys, and no rope metadata to compute them from.',
    notices: [...file.notices, ...notices],
    injected,
    outputRows,
    outputProjection: (layer) => finite(file, `output_projection.${layer}`),
    async layer(index) {
      const query = await finite(file, `query.${index}`);
      const key = await finite(file, `key.${index}`);
      const value = await finite(file, `value.${index}`);
      const stored = async (name: string) => (file.has(name) ? finite(file, name) : null);
      return {
        query,
        key,
        value,
        queryUnrotated: (await stored(`query_unrotated.${index}`)) ?? unrotate(query, index),
        keyUnrotated: (await stored(`key_unrotated.${index}`)) ?? unrotate(key, index),
      };
    },
  };
}

/** @throws UserError unless a prompt stands before the answer and some of it is there */
function checkAnswerStart(answerStart: number | null, tokens: number): number | null {
  if (answerStart === null || answerStart < tokens) return answerStart;
  throw new UserError(
    `The capture has ${tokens} tokens, so its answer_start must be from 1 to ${tokens - 1}, not ${answerStart}.`,
  );
}

function findLayers(file: StoredSafetensors): number[] {
  const matches = file.names().map((name) => /^query\.(0|[1-9]\d{0,3})$/.exec(name));
  return matches.flatMap((match) => (match ? [Number(match[1])] : [])).sort((a, b) => a - b);
}

function shapeOf(file: StoredSafetensors, name: string): readonly number[] {
  if (!file.has(name)) throw new UserError(`The capture lacks tensor ${name}.`);
  const shape = file.shape(name);
  if (shape.length !== 3 || shape.includes(0)) {
    throw new UserError(
      `The capture's ${name} has shape ${shapeText(shape)} instead of [heads, tokens, channels].`,
    );
  }
  return shape;
}

function checkLayer(
  file: StoredSafetensors,
  layer: number,
  queryShape: readonly number[],
  keyShape: readonly number[],
): void {
  const shapes = { query: queryShape, key: keyShape, value: keyShape };
  const optional = { query_unrotated: queryShape, key_unrotated: keyShape };
  for (const [part, expected] of Object.entries({ ...shapes, ...optional })) {
    const name = `${part}.${layer}`;
    if (part in optional && !file.has(name)) continue;
    const found = shapeOf(file, name);
    if (!shapesEqual(found, expected)) {
      throw new UserError(
        `The capture's ${name} has shape ${shapeText(found)}, but its first layer calls for ${shapeText(expected)}.`,
      );
    }
  }
}

/** @throws UserError unless all layers have an output projection of one shape, or none has one */
function readOutputRows(file: StoredSafetensors, layers: readonly number[], columns: number): number {
  const having = layers.filter((layer) => file.has(`output_projection.${layer}`));
  if (having.length === 0) return 0;
  const lacking = layers.find((layer) => !having.includes(layer));
  if (lacking !== undefined) {
    throw new UserError(
      `The capture has output_projection.${having[0]} but no output_projection.${lacking}; give it for every layer or for none.`,
    );
  }
  const rows = file.shape(`output_projection.${having[0]}`)[0] ?? 0;
  for (const layer of having) {
    const shape = file.shape(`output_projection.${layer}`);
    if (rows > 0 && shapesEqual(shape, [rows, columns])) continue;
    throw new UserError(
      `The capture's output_projection.${layer} has shape ${shapeText(shape)} instead of [channels, ${columns}], the same in all layers.`,
    );
  }
  return rows;
}

async function readInputIds(file: StoredSafetensors, tokens: number): Promise<Int32Array | null> {
  if (!file.has('input_ids')) return null;
  const shape = file.shape('input_ids');
  if (shape.length !== 1) {
    throw new UserError(`The capture's input_ids has shape ${shapeText(shape)} instead of [tokens].`);
  }
  return checkLength('input_ids', await file.int32('input_ids'), tokens);
}

function checkLength<List extends { length: number }>(
  name: string,
  list: List | null,
  tokens: number,
): List | null {
  if (list && list.length !== tokens) {
    throw new UserError(`The capture has ${tokens} tokens, but its ${name} has ${list.length} entries.`);
  }
  return list;
}

async function finite(file: StoredSafetensors, name: string): Promise<Float32Array> {
  const values = await file.float32(name);
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new UserError(
        `The capture's ${name} holds ${values[i]} at place ${i}; all values must be finite.`,
      );
    }
  }
  return values;
}

/** What a capture to be written holds; `layer` gives one of `presentLayers`. */
export interface CaptureToWrite extends CaptureMetadata {
  presentLayers: readonly number[];
  tokens: number;
  queryHeads: number;
  keyValueHeads: number;
  headDimension: number;
  inputIds: Int32Array | null;
  layer(index: number): CaptureLayer;
}

/** A capture as a safetensors file in F32, with further tensors beside it if there are any. */
export function writeCapture(
  capture: CaptureToWrite,
  further: Readonly<Record<string, TensorToWrite>> = {},
): Uint8Array<ArrayBuffer> {
  const { tokens, headDimension } = capture;
  const tensors: Record<string, TensorToWrite> = {};
  const add = (name: string, heads: number, data: Float32Array | null) => {
    if (data) tensors[name] = { dtype: 'F32', shape: [heads, tokens, headDimension], data };
  };
  for (const index of capture.presentLayers) {
    const layer = capture.layer(index);
    add(`query.${index}`, capture.queryHeads, layer.query);
    add(`key.${index}`, capture.keyValueHeads, layer.key);
    add(`value.${index}`, capture.keyValueHeads, layer.value);
    add(`query_unrotated.${index}`, capture.queryHeads, layer.queryUnrotated);
    add(`key_unrotated.${index}`, capture.keyValueHeads, layer.keyUnrotated);
  }
  if (capture.inputIds) tensors.input_ids = { dtype: 'I32', shape: [tokens], data: capture.inputIds };
  return writeSafetensors({ ...tensors, ...further }, captureMetadataStrings(capture, capture.headDimension));
}
