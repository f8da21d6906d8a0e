import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { parseRope, type RopeSurroundings, ropeParameters } from '../architectures/rope-config';
import type { Rope } from '../decoder/rope';

const CAPTURE_FORMAT = 'keyhole-capture-1';

/** What a capture says about itself in its metadata; null where it says nothing. */
export interface CaptureMetadata {
  /** Layers of the model, of which the capture may hold a part. */
  layers: number | null;
  rope: Rope | null;
  /** By layer, where layers differ; null: a layer without positions. */
  layerRopes?: readonly (Rope | null)[];
  attentionScale: number | null;
  /** c of scores c·tanh(q·k·scale/c). */
  softCap?: number;
  /** By layer: tokens that each query sees, its own included; null: all before it. */
  windows?: readonly (number | null)[];
  /** Position of the first token. */
  positionOffset: number;
  /** First token of the answer, whose tokens are read one by one. */
  answerStart: number | null;
  /** The longest text that the model was trained on. */
  trainedTokens: number | null;
  /** Name of the model. */
  model: string | null;
  /** Text of each token. */
  tokenTexts: string[] | null;
}

/**
 * Parses the metadata strings of a capture, whose heads have `headDimension` channels; problems that do not matter become notices, others
 * a UserError.
 */
export function parseCaptureMetadata(
  metadata: Readonly<Record<string, string>>,
  headDimension: number | undefined,
): CaptureMetadata & { notices: string[] } {
  const { format, layers, attention_scale, position_offset, answer_start, trained_tokens, model } = metadata;
  if (format !== undefined && format !== CAPTURE_FORMAT) {
    throw new UserError(`The capture has format ${quote(format)}; this version reads ${CAPTURE_FORMAT}.`);
  }
  const notices =
    format === undefined ? [`The capture does not name its format; it is read as ${CAPTURE_FORMAT}.`] : [];
  const scale = attention_scale === undefined ? null : Number(attention_scale);
  if (scale !== null && !(scale > 0 && scale <= 1e6)) {
    throw new UserError(
      `The capture's attention_scale ${quote(attention_scale!, 40)} is not a positive number.`,
    );
  }
  const trainedTokens =
    trained_tokens === undefined ? null : wholeNumber('trained_tokens', trained_tokens, 1, 2 ** 31 - 1);
  const surroundings = { headDimension, mayBePartial: true, trainedTokens };
  return {
    layers: layers === undefined ? null : wholeNumber('layers', layers, 1, 1024),
    rope: readRope(metadata, surroundings),
    ...readLayerRopes(metadata.rope_layers, surroundings),
    attentionScale: scale,
    ...readSoftCap(metadata.soft_cap),
    ...readWindows(metadata.window),
    positionOffset:
      position_offset === undefined ? 0 : wholeNumber('position_offset', position_offset, 0, 2 ** 31 - 1),
    answerStart:
      answer_start === undefined ? null : wholeNumber('answer_start', answer_start, 1, 2 ** 31 - 1),
    trainedTokens,
    model: model ?? null,
    tokenTexts: readTokenTexts(metadata.tokens),
    notices,
  };
}

/** The strings that parseCaptureMetadata reads back; what is null is left out. */
export function captureMetadataStrings(
  metadata: CaptureMetadata,
  headDimension: number,
): Record<string, string> {
  const strings: Record<string, string | null> = {
    format: CAPTURE_FORMAT,
    layers: metadata.layers === null ? null : String(metadata.layers),
    rope: metadata.rope && JSON.stringify(ropeParameters(metadata.rope, headDimension)),
    rope_layers: metadata.layerRopes
      ? JSON.stringify(metadata.layerRopes.map((rope) => rope && ropeParameters(rope, headDimension)))
      : null,
    attention_scale: metadata.attentionScale === null ? null : String(metadata.attentionScale),
    soft_cap: metadata.softCap === undefined ? null : String(metadata.softCap),
    window: metadata.windows ? JSON.stringify(metadata.windows) : null,
    position_offset: String(metadata.positionOffset),
    answer_start: metadata.answerStart === null ? null : String(metadata.answerStart),
    trained_tokens: metadata.trainedTokens === null ? null : String(metadata.trainedTokens),
    model: metadata.model,
    tokens: metadata.tokenTexts && JSON.stringify(metadata.tokenTexts),
  };
  return Object.fromEntries(
    Object.entries(strings).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UserError(
    `The capture's ${name} ${quote(text, 40)} is not a whole number from ${least} to ${most}.`,
  );
}

function readRope(
  { rope, rope_theta }: Readonly<Record<string, string>>,
  surroundings: RopeSurroundings,
): Rope | null {
  if (rope === undefined && rope_theta === undefined) return null;
  const settings = rope === undefined ? {} : parseJson('rope', rope);
  const theta = rope_theta === undefined ? {} : { rope_theta: Number(rope_theta) };
  const given = isObject(settings) ? { ...theta, ...settings } : settings;
  return parseRope(given, surroundings, "The capture's rope");
}

function readLayerRopes(
  text: string | undefined,
  surroundings: RopeSurroundings,
): Pick<CaptureMetadata, 'layerRopes'> {
  if (text === undefined) return {};
  const list = parseJson('rope_layers', text);
  if (!Array.isArray(list)) throw new UserError("The capture's rope_layers is not a JSON list.");
  const known = new Map<string, Rope>();
  const ropeOf = (settings: unknown, layer: number): Rope => {
    const name = JSON.stringify(settings);
    // Layers that turn alike share what is made of it.
    const rope =
      known.get(name) ?? parseRope(settings, surroundings, `The capture's rope_layers, layer ${layer},`);
    known.set(name, rope);
    return rope;
  };
  return { layerRopes: list.map((settings, layer) => (settings === null ? null : ropeOf(settings, layer))) };
}

function readSoftCap(text: string | undefined): Pick<CaptureMetadata, 'softCap'> {
  if (text === undefined) return {};
  const softCap = Number(text);
  if (softCap > 0 && softCap <= 1e6) return { softCap };
  throw new UserError(`The capture's soft_cap ${quote(text, 40)} is not a positive number.`);
}

function readWindows(text: string | undefined): Pick<CaptureMetadata, 'windows'> {
  if (text === undefined) return {};
  const windows = parseJson('window', text);
  const isWindow = (value: unknown): boolean =>
    value === null || (Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= 2 ** 30);
  if (Array.isArray(windows) && windows.every(isWindow)) return { windows };
  throw new UserError("The capture's window is not a JSON list of whole numbers from 1, or null, by layer.");
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readTokenTexts(text: string | undefined): string[] | null {
  if (text === undefined) return null;
  const tokens = parseJson('tokens', text);
  if (Array.isArray(tokens) && tokens.every((token) => typeof token === 'string')) return tokens;
  throw new UserError("The capture's tokens are not a JSON list of texts.");
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError(`The capture's ${name} metadata is not JSON.`);
  }
}
