/** Recorded texts made from plain arrays, on any backend. */
import type { Ops } from '../../gpu/ops';
import { headMajorRows } from '../../gpu/rows';
import type { Method } from '../../src/methods/method';
import { type ParameterContext, resolveParameters } from '../../src/methods/parameters';
import { createRotationTable } from '../../src/model/decoder/buffers';
import { inverseRotate, type Rope } from '../../src/model/decoder/rope';
import type { LayerTrace, Trace } from '../../src/trace/trace';
import { draw, lcg } from '../golden/lcg';

export interface TextShape {
  readonly tokens: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
}

/** Whether a method runs on a text of queries, keys and values alone: what transforms the cache reads a model's hidden states, others read on. */
export function runsOnCapture(method: Method, context: ParameterContext): boolean {
  const { cache, wants } = method.traits(resolveParameters(method, {}, context));
  return cache !== 'transformed' && !wants.rereading && !wants.outputWeight;
}

/** [H or G, T, d] each, rotary positions applied; un-rotated ones are computed where they are missing. */
export interface LayerTensors {
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
  readonly queryUnrotated?: Float32Array;
  readonly keyUnrotated?: Float32Array;
}

const plainRope: Rope = { kind: 'default', theta: 10000 };

/** Uploads a text; full attention's log-sum-exp is computed by the operations themselves. `rope` null: no positions. */
export function recordText(
  ops: Ops,
  shape: TextShape,
  tensors: readonly LayerTensors[],
  options: {
    rope?: Rope | null;
    trainedTokens?: number | null;
    answerStart?: number | null;
    calibration?: Trace['calibration'];
  } = {},
): Trace {
  const { tokens, queryHeads, keyValueHeads, headDimension } = shape;
  const rope = options.rope === undefined ? plainRope : options.rope;
  const scale = 1 / Math.sqrt(headDimension);
  const recorded = tensors.map((layer, index): LayerTrace => {
    const rows = (data: Float32Array, heads: number, label: string) =>
      headMajorRows(ops.upload(data, label), heads, tokens, headDimension);
    const plain = (data: Float32Array, given: Float32Array | undefined): Float32Array =>
      given ?? (rope ? inverseRotate(data, tokens, rope, headDimension, 0) : data);
    const query = rows(layer.query, queryHeads, 'query');
    const key = rows(layer.key, keyValueHeads, 'key');
    const value = rows(layer.value, keyValueHeads, 'value');
    const unused = rows(new Float32Array(layer.query.length), queryHeads, 'output');
    const buffer = ops.allocate('f32', queryHeads * tokens, 'log-sum-exp');
    const logSumExp = { buffer, offset: 0, headStride: tokens };
    const range = { start: 0, end: tokens, causal: true };
    ops.attention({ query, key, value, scale, visible: { range }, out: unused, logSumExp });
    return {
      layer: index,
      query,
      queryUnrotated: rows(plain(layer.query, layer.queryUnrotated), queryHeads, 'query, un-rotated'),
      key,
      keyUnrotated: rows(plain(layer.key, layer.keyUnrotated), keyValueHeads, 'key, un-rotated'),
      value,
      hidden: null,
      logSumExp,
    };
  });
  const rotation = rope && createRotationTable(ops, rope, headDimension, tokens + 65, tokens);
  return {
    ops,
    layers: tensors.length,
    ...shape,
    answerStart: options.answerStart ?? null,
    scores: { scale },
    rotationOf: () => rotation,
    ropeOf: () => rope,
    positionOffset: 0,
    trainedTokens: options.trainedTokens ?? null,
    calibration: options.calibration ?? null,
    layerTraces: recorded,
    outputWeight: () => null,
    injected: () => null,
    projection: null,
    rereading: null,
  };
}

/** Rotary positions on [heads, tokens, d], token t standing at t; half-split, angles in double precision. */
export function rotate(
  data: Float32Array,
  tokens: number,
  headDimension: number,
  theta = 10000,
): Float32Array {
  const out = new Float32Array(data.length);
  const half = headDimension / 2;
  for (let start = 0; start < data.length; start += headDimension) {
    const position = (start / headDimension) % tokens;
    for (let j = 0; j < half; j++) {
      const angle = position * theta ** ((-2 * j) / headDimension);
      const [a, b] = [data[start + j], data[start + j + half]];
      out[start + j] = a! * Math.cos(angle) - b! * Math.sin(angle);
      out[start + j + half] = b! * Math.cos(angle) + a! * Math.sin(angle);
    }
  }
  return out;
}

/** Layers of random un-rotated tensors, and the same with rotary positions. */
export function randomLayers(shape: TextShape, layers: number, seed: number, spread = 2): LayerTensors[] {
  const { tokens, queryHeads, keyValueHeads, headDimension } = shape;
  const next = lcg(seed);
  const fill = (heads: number): Float32Array =>
    draw(next, heads * tokens * headDimension).map((value) => spread * value);
  return Array.from({ length: layers }, () => {
    const queryUnrotated = fill(queryHeads);
    const keyUnrotated = fill(keyValueHeads);
    return {
      queryUnrotated,
      keyUnrotated,
      query: rotate(queryUnrotated, tokens, headDimension),
      key: rotate(keyUnrotated, tokens, headDimension),
      value: fill(keyValueHeads),
    };
  });
}
