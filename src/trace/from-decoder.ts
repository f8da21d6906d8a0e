/** Makes the trace that methods are run on: from a decoder session, or from a capture. */

import { Allocation } from '../../gpu/allocation';
import { mebibytes } from '../../gpu/memory';
import type { Ops } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import { headMajorRows, matrixRows, sliceRows, tokenMajorRows } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import { hidingWindow, ropeOf, scoresOf } from '../model/architectures/config';
import type { Capture } from '../model/capture/capture';
import { attendSelection } from '../model/decoder/attend';
import { createRotations, LEAST_POSITIONS } from '../model/decoder/buffers';
import type { Decoder, DecoderSession } from '../model/decoder/decoder';
import { keyValueProjection } from '../model/decoder/project';
import { RotatedRows } from '../model/decoder/rotated-rows';
import { checkRange } from './capture-range';
import { type ReadText, rereadingOf } from './rereading';
import type { LayerTrace, Trace } from './trace';

/** Query rows per attention call; keeps submissions short. */
const BLOCK_TOKENS = 256;

/** A trace whose buffers belong to it. */
export interface OwnedTrace extends Trace {
  release(): void;
}

/**
 * Layers whose rotated queries and keys are there at once: that of a run, which goes layer by layer, and that of a picture which is
 * asked for meanwhile.
 */
export const ROTATED_LAYERS = 2;

/** The text that a reader with `keepQueries` has read; `answerStart` if it has an answer, `read` what it was made of. It ends the reading, and takes the reader over. */
export function traceOfSession(
  decoder: Decoder,
  reader: DecoderSession,
  {
    tokens,
    answerStart = null,
    calibration,
    read = null,
  }: Pick<Trace, 'tokens' | 'calibration'> &
    Partial<Pick<Trace, 'answerStart'>> & { readonly read?: ReadText | null },
): OwnedTrace {
  const { config, ops } = decoder;
  const { queryHeads, keyValueHeads, headDimension: channels } = config;
  const { rotations, caches } = reader;
  reader.finish();
  const rotated = (heads: number, label: string): RotatedRows =>
    new RotatedRows({ ops, rotations, heads, channels, capacity: tokens, layersHeld: ROTATED_LAYERS, label });
  let queries: RotatedRows | null = null;
  let keys: RotatedRows | null = null;
  const release = (): void => {
    queries?.release();
    keys?.release();
    reader.release();
  };
  try {
    queries = rotated(queryHeads, 'rotated queries');
    keys = rotated(keyValueHeads, 'rotated keys');
  } catch (error) {
    release();
    throw error;
  }
  const [rotatedQueries, rotatedKeys] = [queries, keys];
  return {
    ops,
    layers: config.layers,
    tokens,
    answerStart,
    queryHeads,
    keyValueHeads,
    headDimension: channels,
    scores: scoresOf(config),
    rotationOf: (layer) => rotations.of(layer),
    ropeOf: (layer) => ropeOf(config, layer),
    positionOffset: 0,
    trainedTokens: config.trainedTokens,
    calibration,
    layerTraces: caches.map(({ queryUnrotated, keyUnrotated, value, hidden, logSumExp }, layer) => ({
      layer,
      get query() {
        return rotatedQueries.of(layer, queryUnrotated!, tokens);
      },
      queryUnrotated: sliceRows(queryUnrotated!, 0, tokens),
      get key() {
        return rotatedKeys.of(layer, keyUnrotated, tokens);
      },
      keyUnrotated: sliceRows(keyUnrotated, 0, tokens),
      value: sliceRows(value, 0, tokens),
      hidden: hidden && sliceRows(hidden, 0, tokens),
      logSumExp: logSumExp!,
      window: hidingWindow(config, layer, tokens),
    })),
    outputWeight: (layer) => decoder.weights.layers[layer]!.output.weight,
    injected: () => null,
    projection: keyValueProjection(ops, config, decoder.weights),
    rereading: read && rereadingOf(decoder, caches, read),
    release,
  };
}

/**
 * Puts a capture on the device and computes full attention's log-sum-exp. `layers`: which of those present; default all. Throws
 * UserError where the device has no room for them.
 */
export async function traceOfCapture(
  ops: Ops,
  capture: Capture,
  layers: readonly number[] = capture.presentLayers,
): Promise<OwnedTrace> {
  checkLayersFit(ops, capture, layers.length);
  const owned = new Allocation(ops);
  const working = new Allocation(ops);
  try {
    return await uploadCapture(ops, capture, layers, owned, working);
  } catch (error) {
    owned.release();
    throw error;
  } finally {
    working.release();
  }
}

/** How many layers of a capture the device has room for at once. */
export function layersThatFit({ memoryLimits }: Ops, capture: Capture): number {
  return Math.floor(memoryLimits.budgetBytes / layerBytes(capture));
}

function layerBytes({ tokens: T, queryHeads: H, keyValueHeads: G, headDimension: d, outputRows }: Capture) {
  // With the un-rotated tensors, which most captures have or which are computed.
  return 4 * (T * (2 * H * d + 3 * G * d + H) + outputRows * H * d);
}

function checkLayersFit(ops: Ops, capture: Capture, layers: number): void {
  const most = layersThatFit(ops, capture);
  if (layers <= most) return;
  const { tokens: T } = capture;
  const { budgetBytes } = ops.memoryLimits;
  throw new UserError(
    `${layers} layers of this capture need ${mebibytes(layers * layerBytes(capture))} MiB and ${mebibytes(budgetBytes)} MiB are allowed ` +
      `on this device; use a capture of at most ${most} layers of ${T.toLocaleString('en')} tokens, or of fewer tokens.`,
  );
}

async function uploadCapture(
  ops: Ops,
  capture: Capture,
  layers: readonly number[],
  owned: Allocation,
  working: Allocation,
): Promise<OwnedTrace> {
  const { tokens: T, queryHeads: H, keyValueHeads: G, headDimension: d } = capture;
  const scores = scoresOf(capture);
  const upload = (data: Float32Array, heads: number, label: string): Rows => {
    const buffer = ops.upload(data, label);
    owned.add(buffer);
    return headMajorRows(buffer, heads, T, d);
  };
  // Methods turn by distances and by places in a cache, never by the position that the capture begins at.
  const positions = Math.max(T, LEAST_POSITIONS) + 1;
  const rotations = createRotations(ops, capture, positions, capture.positionOffset + T);
  owned.add(...rotations.buffers);
  const unused = working.floats(Math.min(T, BLOCK_TOKENS) * H * d, 'full attention output');
  const recorded: LayerTrace[] = [];
  const outputs = new Map<number, Rows>();
  for (const index of layers) {
    const tensors = await capture.layer(index);
    checkRange(capture, index, tensors);
    const logSumExp = { buffer: owned.floats(H * T, `layer ${index} log-sum-exp`), offset: 0, headStride: T };
    const layer: LayerTrace = {
      layer: index,
      query: upload(tensors.query, H, `layer ${index} queries`),
      queryUnrotated:
        tensors.queryUnrotated && upload(tensors.queryUnrotated, H, `layer ${index} queries, un-rotated`),
      key: upload(tensors.key, G, `layer ${index} keys`),
      keyUnrotated:
        tensors.keyUnrotated && upload(tensors.keyUnrotated, G, `layer ${index} keys, un-rotated`),
      value: upload(tensors.value, G, `layer ${index} values`),
      hidden: null,
      logSumExp,
      window: hidingWindow(capture, index, T),
    };
    for (let start = 0; start < T; start += BLOCK_TOKENS) {
      const end = Math.min(T, start + BLOCK_TOKENS);
      attendSelection(
        ops,
        {
          block: { start, end },
          query: sliceRows(layer.query, start, end - start),
          key: sliceRows(layer.key, 0, end),
          value: sliceRows(layer.value, 0, end),
          window: layer.window,
        },
        { list: null, rangeStart: 0 },
        scores,
        tokenMajorRows(unused, H, end - start, d),
        { ...logSumExp, offset: start },
      );
      await ops.pace();
    }
    recorded.push(layer);
    const { outputRows } = capture;
    if (outputRows > 0) {
      const weight = ops.upload(await capture.outputProjection(index), `layer ${index} output projection`);
      owned.add(weight);
      outputs.set(index, matrixRows(weight, outputRows, H * d));
    }
  }
  return {
    ops,
    layers: capture.layers,
    tokens: T,
    answerStart: capture.answerStart,
    queryHeads: H,
    keyValueHeads: G,
    headDimension: d,
    scores,
    rotationOf: (layer) => rotations.of(layer),
    ropeOf: (layer) => ropeOf(capture, layer),
    positionOffset: capture.positionOffset,
    trainedTokens: capture.trainedTokens,
    calibration: null,
    layerTraces: recorded,
    outputWeight: (layer) => outputs.get(layer) ?? null,
    injected: capture.injected,
    projection: null,
    rereading: null,
    release: () => owned.release(),
  };
}
