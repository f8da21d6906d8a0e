/**
 * The forward pass of a decoder, written against gpu/ops.ts. It reads a text block by block into growing caches; what a
 * block's queries attend to is the caller's business (`attend`), so full attention and every method share this one pass.
 * Per layer: x += W_O · attend(norm(x)); x += W_down · act(W_up · norm(x)). Memory is O(T·d) per layer.
 */
import type { Ops, RotationTable, RowScalars } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import { joinHeads, matrixRows, sliceRows, tokenMajorRows } from '../../gpu/rows';
import { UserError } from '../user-error';
import type { ModelConfig } from './config';
import type { DeviceLinear, DeviceNorm, DeviceWeights } from './decoder-buffers';
import { createRotationTable, uploadWeights } from './decoder-buffers';
import type { DecoderWeights } from './weights';

export interface Decoder {
  readonly ops: Ops;
  readonly config: ModelConfig;
  readonly weights: DeviceWeights;
  release(): void;
}

/** Puts a model on a device. */
export async function createDecoder(
  ops: Ops,
  config: ModelConfig,
  weights: DecoderWeights,
  onLayer?: (layers: number) => void,
): Promise<Decoder> {
  const onDevice = await uploadWeights(ops, config, weights, onLayer);
  return { ops, config, weights: onDevice, release: onDevice.release };
}

/** One layer's caches: rows [0, length) are valid. Without rotary positions the un-rotated views are the same rows. */
export interface LayerCache {
  readonly key: Rows;
  readonly keyUnrotated: Rows;
  readonly value: Rows;
  /** Queries of the whole text and full attention's log-sum-exp, where the reader keeps them; null otherwise. */
  readonly query: Rows | null;
  readonly queryUnrotated: Rows | null;
  readonly logSumExp: RowScalars | null;
}

/** What `attend` is asked: the block's queries, and where its output [H, block, d] goes. */
export interface AttendRequest {
  readonly layer: number;
  readonly start: number;
  readonly end: number;
  readonly query: Rows;
  readonly queryUnrotated: Rows;
  readonly cache: LayerCache;
  readonly out: Rows;
}

export interface ReaderOptions {
  /** Most tokens that will be read, generated ones included. */
  readonly capacity: number;
  readonly largestBlock: number;
  /** Keep queries and log-sum-exp of the whole text, for probe runs. */
  readonly keepQueries: boolean;
}

/** A text being read. */
export interface Reader {
  readonly length: number;
  readonly caches: readonly LayerCache[];
  readonly rotation: RotationTable | null;
  /**
   * Reads tokens [length, length + ids.length). Returns the hidden states after the last norm, [block, D], valid until the
   * next call. `observe` sees hidden states i = 0 (embeddings) … L−1 (input of the last layer).
   */
  read(
    ids: Uint32Array,
    attend: (request: AttendRequest) => void,
    observe?: (index: number, hidden: Rows) => void,
  ): Promise<Rows>;
  /** Logits [rows, V] of hidden states into `out`. */
  logits(hidden: Rows, out: Rows): void;
  /** Forgets all tokens from `length` on. */
  rewind(length: number): void;
  release(): void;
}

/** Makes a reader. Throws UserError for a text that is longer than learned positions reach. */
export function createReader(decoder: Decoder, options: ReaderOptions): Reader {
  const { ops, config, weights } = decoder;
  const { capacity, largestBlock, keepQueries } = options;
  if (config.learnedPositions && capacity > config.trainedTokens) {
    throw new UserError(
      `This model has learned positions for ${config.trainedTokens} tokens and cannot read ${capacity}; use a shorter text.`,
    );
  }
  const { queryHeads: H, keyValueHeads: G, headDimension: d, hiddenSize: D, feedForwardSize: F } = config;
  const owned: DeviceBuffer[] = [];
  const floats = (length: number, label: string): DeviceBuffer => {
    const buffer = ops.allocate('f32', length, label);
    owned.push(buffer);
    return buffer;
  };

  const rotation = createRotationTable(ops, config, Math.max(capacity, config.rope ? 2 : 0) + 1);
  if (rotation) owned.push(rotation.cosine, rotation.sine);
  const heads = (count: number, rows: number, label: string): Rows =>
    tokenMajorRows(floats(rows * count * d, label), count, rows, d);

  const caches: LayerCache[] = [];
  for (let l = 0; l < config.layers; l++) {
    const keyUnrotated = heads(G, capacity, `layer ${l} keys, un-rotated`);
    const queryUnrotated = keepQueries ? heads(H, capacity, `layer ${l} queries, un-rotated`) : null;
    caches.push({
      keyUnrotated,
      key: rotation ? heads(G, capacity, `layer ${l} keys`) : keyUnrotated,
      value: heads(G, capacity, `layer ${l} values`),
      queryUnrotated,
      query: rotation && keepQueries ? heads(H, capacity, `layer ${l} queries`) : queryUnrotated,
      logSumExp: keepQueries
        ? { buffer: floats(H * capacity, `layer ${l} log-sum-exp`), offset: 0, headStride: capacity }
        : null,
    });
  }
  const ids = ops.allocate('u32', largestBlock, 'token ids');
  const places = ops.allocate('u32', largestBlock, 'token positions');
  owned.push(ids, places);
  const hiddenBuffer = floats(largestBlock * D, 'hidden states');
  const normedBuffer = floats(largestBlock * D, 'normalized hidden states');
  const attendedBuffer = floats(largestBlock * H * d, 'attention output');
  const queryBuffer = keepQueries ? null : floats(largestBlock * H * d, 'block queries, un-rotated');
  const rotatedBuffer = keepQueries || !rotation ? null : floats(largestBlock * H * d, 'block queries');
  const gateBuffer = config.activation === 'silu-gate' ? floats(largestBlock * F, 'feed-forward gate') : null;
  const upBuffer = floats(largestBlock * F, 'feed-forward');
  let length = 0;

  const normalize = (input: Rows, norm: DeviceNorm, out: Rows, kind = config.normalization.kind): void =>
    ops.normalize({ kind, input, ...norm, epsilon: config.normalization.epsilon, out });
  const project = (input: Rows, map: DeviceLinear, out: Rows, accumulate = false): void =>
    ops.matmul({ input, ...map, out, accumulate });

  function readLayer(l: number, n: number, attend: (request: AttendRequest) => void): void {
    const layer = weights.layers[l];
    const cache = caches[l];
    const hidden = matrixRows(hiddenBuffer, n, D);
    const normed = matrixRows(normedBuffer, n, D);
    const attended = tokenMajorRows(attendedBuffer, H, n, d);
    const blockOf = (view: Rows): Rows => sliceRows(view, length, n);
    const queryUnrotated = cache.queryUnrotated
      ? blockOf(cache.queryUnrotated)
      : tokenMajorRows(queryBuffer!, H, n, d);
    const keyUnrotated = blockOf(cache.keyUnrotated);

    normalize(hidden, layer.inputNorm, normed);
    project(normed, layer.query, joinHeads(queryUnrotated));
    project(normed, layer.key, joinHeads(keyUnrotated));
    project(normed, layer.value, joinHeads(blockOf(cache.value)));
    if (layer.queryNorm) normalize(queryUnrotated, layer.queryNorm, queryUnrotated, 'rms');
    if (layer.keyNorm) normalize(keyUnrotated, layer.keyNorm, keyUnrotated, 'rms');
    let query = queryUnrotated;
    if (rotation) {
      query = cache.query ? blockOf(cache.query) : tokenMajorRows(rotatedBuffer!, H, n, d);
      const positions = { start: length, step: 1 } as const;
      ops.rotate({ input: queryUnrotated, table: rotation, positions, out: query });
      ops.rotate({ input: keyUnrotated, table: rotation, positions, out: blockOf(cache.key) });
    }
    attend({ layer: l, start: length, end: length + n, query, queryUnrotated, cache, out: attended });
    project(joinHeads(attended), layer.output, hidden, true);

    normalize(hidden, layer.postNorm, normed);
    const up = matrixRows(upBuffer, n, F);
    project(normed, layer.up, up);
    if (layer.gate && gateBuffer) {
      const gate = matrixRows(gateBuffer, n, F);
      project(normed, layer.gate, gate);
      ops.gate({ gate, up, out: up });
    } else {
      ops.activate({ kind: config.activation === 'gelu' ? 'gelu' : 'gelu-tanh', input: up, out: up });
    }
    project(up, layer.down, hidden, true);
  }

  return {
    get length() {
      return length;
    },
    caches,
    rotation,
    async read(block, attend, observe) {
      const n = block.length;
      if (n > largestBlock)
        throw new RangeError(`a block of ${n} tokens, at most ${largestBlock} were announced`);
      if (length + n > capacity)
        throw new RangeError(`token ${length + n} is beyond the capacity of ${capacity}`);
      const hidden = matrixRows(hiddenBuffer, n, D);
      ops.write(ids, 0, block);
      ops.gatherRows({ table: weights.embedding, indices: ids, indexOffset: 0, out: hidden });
      if (weights.positions) {
        ops.write(
          places,
          0,
          Uint32Array.from({ length: n }, (_, i) => length + i),
        );
        ops.gatherRows({
          table: weights.positions,
          indices: places,
          indexOffset: 0,
          out: hidden,
          accumulate: true,
        });
      }
      for (let l = 0; l < config.layers; l++) {
        observe?.(l, hidden);
        readLayer(l, n, attend);
        await ops.pace();
      }
      const normed = matrixRows(normedBuffer, n, D);
      normalize(hidden, weights.finalNorm, normed);
      length += n;
      return normed;
    },
    logits(hidden, out) {
      ops.matmul({ input: hidden, weight: weights.head, out });
    },
    rewind(to) {
      if (to < 0 || to > length) throw new RangeError(`cannot return to ${to} of ${length} tokens`);
      length = to;
    },
    release: () => ops.release(...owned),
  };
}
