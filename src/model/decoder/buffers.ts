/** A decoder's weights on a device, and the tables and scratch space that its passes share. */

import { halvesOfFloats } from '../../../gpu/halves';
import type { Ops, RotationTable } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { matrixRows } from '../../../gpu/rows';
import { type ModelConfig, ropeOf, ropesIn } from '../architectures/config';
import type { DecoderWeights, LinearWeights, NormWeights } from '../architectures/decoder-weights';
import { type DeviceTable, uploadTable } from './device-table';
import { type Rope, rotaryFrequencies, rotaryScale } from './rope';

/** out = weight · in + bias; with `first` in two steps, weight · first · in + bias. */
export interface DeviceLinear {
  readonly weight: Rows;
  readonly first?: Rows;
  readonly bias?: DeviceBuffer;
}

export interface DeviceNorm {
  readonly weight: DeviceBuffer;
  readonly bias?: DeviceBuffer;
}

interface DeviceLayer {
  readonly inputNorm: DeviceNorm | null;
  readonly query: DeviceLinear;
  readonly key: DeviceLinear;
  readonly value: DeviceLinear;
  readonly output: DeviceLinear;
  readonly attentionOutputNorm: DeviceNorm | null;
  readonly queryNorm: DeviceNorm | null;
  readonly keyNorm: DeviceNorm | null;
  readonly feedForwardNorm: DeviceNorm | null;
  readonly gate: DeviceLinear | null;
  readonly up: DeviceLinear;
  readonly down: DeviceLinear;
  readonly feedForwardOutputNorm: DeviceNorm | null;
}

export interface DeviceWeights {
  readonly embedding: DeviceTable;
  readonly positions: DeviceTable | null;
  readonly layers: readonly DeviceLayer[];
  readonly finalNorm: DeviceNorm;
  readonly head: DeviceTable;
  release(): void;
}

/**
 * Puts all weights on the device, layer by layer. `onLayer` hears how many layers are there. Throws UserError, and keeps nothing,
 * where the device has no room for them.
 */
export async function uploadWeights(
  ops: Ops,
  config: ModelConfig,
  weights: DecoderWeights,
  onLayer: (layers: number) => void = () => {},
): Promise<DeviceWeights> {
  const buffers: DeviceBuffer[] = [];
  try {
    return {
      ...(await uploadTo(buffers, ops, config, weights, onLayer)),
      release: () => ops.release(...buffers),
    };
  } catch (error) {
    ops.release(...buffers);
    throw error;
  }
}

async function uploadTo(
  buffers: DeviceBuffer[],
  ops: Ops,
  config: ModelConfig,
  weights: DecoderWeights,
  onLayer: (layers: number) => void,
): Promise<Omit<DeviceWeights, 'release'>> {
  const upload = (data: Float32Array, label: string): DeviceBuffer => {
    const buffer = ops.upload(data, label);
    buffers.push(buffer);
    return buffer;
  };
  const { weightType } = config;
  const uploadMatrix = (data: Float32Array, label: string): DeviceBuffer => {
    if (!weightType) return upload(data, label);
    const bits = halvesOfFloats(weightType, data);
    // Layouts only move what was stored.
    if (!bits) throw new Error(`${label} was stored in ${weightType} and no longer is`);
    const buffer = ops.uploadHalves(weightType, bits, label);
    buffers.push(buffer);
    return buffer;
  };
  const linear = (source: LinearWeights, label: string): DeviceLinear => ({
    weight: matrixRows(uploadMatrix(source.weight, label), source.outputs, source.inputs),
    ...(source.bias ? { bias: upload(source.bias, `${label} bias`) } : {}),
  });
  const norm = <Source extends NormWeights | null>(source: Source, label: string) =>
    (source && {
      weight: upload(source.weight, label),
      ...(source.bias ? { bias: upload(source.bias, `${label} bias`) } : {}),
    }) as Source extends null ? null : DeviceNorm;

  const table = (data: Float32Array, label: string): DeviceTable =>
    uploadTable(ops, uploadMatrix, data, config.hiddenSize, label, weightType);

  const embeddingData = await weights.embedding();
  const headData = await weights.head();
  const embedding = table(embeddingData, 'embedding');
  const head = headData === embeddingData ? embedding : table(headData, 'head');
  const positionData = await weights.positions();
  const positions = positionData ? table(positionData, 'positions') : null;

  const layers: DeviceLayer[] = [];
  for (let l = 0; l < config.layers; l++) {
    const source = await weights.layer(l);
    layers.push({
      inputNorm: norm(source.inputNorm, `layer ${l} input norm`),
      query: linear(source.query, `layer ${l} query`),
      key: linear(source.key, `layer ${l} key`),
      value: linear(source.value, `layer ${l} value`),
      output: linear(source.output, `layer ${l} output`),
      attentionOutputNorm: norm(source.attentionOutputNorm, `layer ${l} attention output norm`),
      queryNorm: norm(source.queryNorm, `layer ${l} query norm`),
      keyNorm: norm(source.keyNorm, `layer ${l} key norm`),
      feedForwardNorm: norm(source.feedForwardNorm, `layer ${l} feed-forward norm`),
      gate: source.gate && linear(source.gate, `layer ${l} gate`),
      up: linear(source.up, `layer ${l} up`),
      down: linear(source.down, `layer ${l} down`),
      feedForwardOutputNorm: norm(source.feedForwardOutputNorm, `layer ${l} feed-forward output norm`),
    });
    onLayer(l + 1);
    await ops.pace();
  }
  const finalNorm = norm(await weights.finalNorm(), 'final norm');
  return { embedding, positions, layers, finalNorm, head };
}

/** Positions that a text's table has at least: a short text, too, is scored at the distances that projections were learned for. */
export const LEAST_POSITIONS = 512;

/** cos and sin for positions 0 … positions−1 of a text of `tokens`, angles in double precision. */
export function createRotationTable(
  ops: Ops,
  rope: Rope,
  headDimension: number,
  positions: number,
  tokens: number,
): RotationTable {
  const frequencies = rotaryFrequencies(rope, headDimension, tokens);
  const scale = rotaryScale(rope);
  const count = frequencies.length;
  const cosine = new Float32Array(positions * count);
  const sine = new Float32Array(positions * count);
  for (let p = 0; p < positions; p++) {
    for (let j = 0; j < count; j++) {
      cosine[p * count + j] = Math.cos(p * frequencies[j]!) * scale;
      sine[p * count + j] = Math.sin(p * frequencies[j]!) * scale;
    }
  }
  return {
    cosine: ops.upload(cosine, 'rotation cosine'),
    sine: ops.upload(sine, 'rotation sine'),
    positions,
    frequencies: count,
    scale,
  };
}

/** The tables of every layer's rotary positions: layers that turn alike share one. */
export interface Rotations {
  /** Null: the layer has no rotary positions. */
  of(layer: number): RotationTable | null;
  readonly buffers: readonly DeviceBuffer[];
}

/** For positions 0 … positions−1 of a text of `tokens`. */
export function createRotations(
  ops: Ops,
  config: Pick<ModelConfig, 'rope' | 'layerRopes' | 'headDimension'>,
  positions: number,
  tokens: number,
): Rotations {
  const tables = new Map<Rope, RotationTable>();
  for (const rope of ropesIn(config))
    tables.set(rope, createRotationTable(ops, rope, config.headDimension, positions, tokens));
  return {
    of: (layer) => tables.get(ropeOf(config, layer)!) ?? null,
    buffers: [...tables.values()].flatMap(({ cosine, sine }) => [cosine, sine]),
  };
}
