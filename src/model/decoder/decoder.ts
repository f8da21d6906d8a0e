/**
 * The forward pass of a decoder, written against gpu/ops.ts. It reads a text block by block into growing caches; what a
 * block's queries attend to is the caller's business (`attend`), so full attention and every method share this one pass.
 * Per layer: x += W_O · attend(norm(x)); x += W_down · act(W_up · norm(x)), and what `ModelConfig` says otherwise: norms elsewhere,
 * both of the same x, factors. Memory is O(T·d) per layer; queries and keys are kept un-rotated only and rotated where they are
 * read (rotated-rows.ts).
 */

import { Allocation } from '../../../gpu/allocation';
import type { Ops, RowScalars } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';
import { joinHeads, matrixRows, sliceRows, tokenMajorRows } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import { hasGate, type ModelConfig, windowOf } from '../architectures/config';
import type { DecoderWeights } from '../architectures/decoder-weights';
import type { DeviceLinear, DeviceNorm, DeviceWeights, Rotations } from './buffers';
import { createRotations, LEAST_POSITIONS, uploadWeights } from './buffers';
import { lookUpRows } from './device-table';
import { writeLogits } from './logits';
import { type KeyValueMaps, keyValueProjection, project as projectRows } from './project';
import { RotatedRows } from './rotated-rows';

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

/** One layer's caches: rows [0, length) are valid. */
export interface LayerCache {
  /** [G, capacity, d]. */
  readonly keyUnrotated: Rows;
  readonly value: Rows;
  /** Queries of the whole text and full attention's log-sum-exp, where the reader keeps them; null otherwise. */
  readonly queryUnrotated: Rows | null;
  readonly logSumExp: RowScalars | null;
  /** [capacity, D]: what queries, keys and values are projected from, where the reader keeps it; null otherwise. */
  readonly hidden: Rows | null;
}

/** What another session has read of a layer, keys before rotation included. */
type ReadLayer = Pick<LayerCache, 'value' | 'hidden'> & { readonly keyUnrotated: Rows | null };

/** What `attend` is asked: the block's queries, all keys and values so far, and where its output [H, block, d] goes. */
export interface AttendRequest {
  readonly layer: number;
  readonly start: number;
  readonly end: number;
  /** [H, block, d]. */
  readonly query: Rows;
  readonly queryUnrotated: Rows;
  /** [G, end, d]. */
  readonly key: Rows;
  readonly keyUnrotated: Rows;
  readonly value: Rows;
  /** Tokens that each query sees, its own included; undefined: all before it. */
  readonly window: number | undefined;
  /** [end, D], where the reader keeps them. */
  readonly hidden: Rows | null;
  /** [block, D]: what the block's queries, keys and values are projected from. */
  readonly blockHidden: Rows;
  /** The whole text's, where the reader keeps them. */
  readonly logSumExp: RowScalars | null;
  /** Rows of all tokens that are read with the block: queries from the first of them on, keys and values from the text's first on. */
  readonly read: { readonly query: Rows; readonly key: Rows; readonly value: Rows };
  readonly out: Rows;
}

export interface SessionOptions {
  /** Most tokens that will be read, generated ones included. */
  readonly capacity: number;
  /** Tokens of the text, on which rotary positions may depend (rope.ts); the capacity by default. */
  readonly textTokens?: number;
  /** Most tokens of one call of `read`. */
  readonly mostAtOnce: number;
  /** Keep queries and log-sum-exp of the whole text, for probe runs. */
  readonly keepQueries: boolean;
  /** Keep the hidden states that every layer projects from; not by default. */
  readonly keepHidden?: boolean;
  /**
   * Layers whose rotated keys are held; all by default. Keys of the others are rotated anew for every block, which takes time
   * instead of memory.
   */
  readonly rotatedLayers?: number;
  /**
   * So many layers are read, from the first on; all by default. With fewer, the last of them ends where it has attended, and the
   * states that `read` gives say nothing.
   */
  readonly layers?: number;
  /** Another reader's text, whose first `length` tokens count as read: their keys and values are copied. */
  readonly behind?: { readonly caches: readonly LayerCache[]; readonly length: number };
}

interface ReadOptions {
  /**
   * Where the blocks end whose queries attend together, the last at the end of what is read; one block by default. A layer
   * attends block after block and does all else for all of them at once: no layer's input depends on a later layer, so the
   * numbers are those of blocks read one by one.
   */
  readonly blockEnds?: readonly number[];
  /** Where it waits for something, so does the layer. */
  readonly attend: (request: AttendRequest) => void | Promise<void>;
  /** Maps that take the place of a layer's own for keys and values; the layer's own by default. */
  readonly keyValueMaps?: ((layer: number) => KeyValueMaps) | null;
  /** Sees hidden states i = 0 (embeddings) … L−1 (input of the last layer); what it throws ends the reading. */
  readonly observe?: (index: number, hidden: Rows) => void;
}

/** A text being read. */
export interface DecoderSession {
  readonly length: number;
  readonly caches: readonly LayerCache[];
  readonly rotations: Rotations;
  /**
   * Reads tokens [length, length + ids.length). Returns the hidden states after the last norm, [n, D], valid until the
   * next call.
   */
  read(ids: Uint32Array, how: ReadOptions): Promise<Rows>;
  /**
   * Takes over keys, values and, where they are kept, the layers' inputs of tokens [0, tokens) that another session has read, in the
   * place of reading them. Only before anything was read.
   */
  takeOver(layers: readonly ReadLayer[], tokens: number): void;
  /** Logits [rows, V] of hidden states into `out`. */
  logits(hidden: Rows, out: Rows): void;
  /** Forgets all tokens from `length` on. */
  rewind(length: number): void;
  /** Gives back what only reading needs, and ends it; caches and rotations stay. */
  finish(): void;
  release(): void;
}

/** Makes a reader. Throws UserError for a text that is longer than learned positions reach, or than the device has room for. */
export function startSession(decoder: Decoder, options: SessionOptions): DecoderSession {
  const kept = new Allocation(decoder.ops);
  const working = new Allocation(decoder.ops);
  try {
    return openReader(decoder, options, kept, working);
  } catch (error) {
    kept.release();
    working.release();
    throw error;
  }
}

/** `kept` gets every buffer of the caches, `working` those that only reading needs; also where one is refused. */
function openReader(
  decoder: Decoder,
  options: SessionOptions,
  kept: Allocation,
  working: Allocation,
): DecoderSession {
  const { ops, config, weights } = decoder;
  const { capacity, mostAtOnce, keepQueries, layers = config.layers } = options;
  if (config.learnedPositions && capacity > config.trainedTokens) {
    throw new UserError(
      `This model has learned positions for ${config.trainedTokens} tokens and cannot read ${capacity}; use a shorter text.`,
    );
  }
  const { queryHeads: H, keyValueHeads: G, headDimension: d, hiddenSize: D, feedForwardSize: F } = config;
  const { textTokens = capacity } = options;
  const rotations = createRotations(ops, config, Math.max(capacity, LEAST_POSITIONS) + 1, textTokens);
  kept.add(...rotations.buffers);
  const heads = (count: number, label: string): Rows =>
    tokenMajorRows(kept.floats(capacity * count * d, label), count, capacity, d);
  const caches: LayerCache[] = [];
  for (let l = 0; l < layers; l++) {
    caches.push({
      keyUnrotated: heads(G, `layer ${l} keys`),
      value: heads(G, `layer ${l} values`),
      queryUnrotated: keepQueries ? heads(H, `layer ${l} queries`) : null,
      logSumExp: keepQueries
        ? { buffer: kept.floats(H * capacity, `layer ${l} log-sum-exp`), offset: 0, headStride: capacity }
        : null,
      hidden: options.keepHidden
        ? matrixRows(kept.floats(capacity * D, `layer ${l} hidden states`), capacity, D)
        : null,
    });
  }
  const rotatedKeys = new RotatedRows({
    ...{ ops, rotations, heads: G, channels: d, capacity, label: 'rotated keys' },
    layersHeld: options.rotatedLayers ?? layers,
  });
  working.add(...rotatedKeys.buffers);
  const { positions } = weights;
  const ids = working.integers(mostAtOnce * weights.embedding.parts.length, 'token ids');
  const places = positions && working.integers(mostAtOnce * positions.parts.length, 'token positions');
  const hiddenBuffer = working.floats(mostAtOnce * D, 'hidden states');
  const normedBuffer = working.floats(mostAtOnce * D, 'normalized hidden states');
  const attendedBuffer = working.floats(mostAtOnce * H * d, 'attention output');
  const queryBuffer = keepQueries ? null : working.floats(mostAtOnce * H * d, 'block queries');
  const rotatedBuffer =
    rotations.buffers.length > 0 ? working.floats(mostAtOnce * H * d, 'rotated block queries') : null;
  const gateBuffer = hasGate(config) ? working.floats(mostAtOnce * F, 'feed-forward gate') : null;
  const upBuffer = working.floats(mostAtOnce * F, 'feed-forward');
  let length = 0;
  if (options.behind) {
    const { caches: before, length: read } = options.behind;
    for (const [l, cache] of caches.entries()) {
      for (const name of ['keyUnrotated', 'value'] as const)
        ops.copyRows({ input: sliceRows(before[l]![name], 0, read), out: sliceRows(cache[name], 0, read) });
    }
    length = read;
  }

  const normalize = (input: Rows, norm: DeviceNorm, out: Rows, kind = config.normalization.kind): void =>
    ops.normalize({ kind, input, ...norm, epsilon: config.normalization.epsilon, out });
  const project = (input: Rows, map: DeviceLinear, out: Rows, accumulate = false): void =>
    projectRows(ops, input, map, out, accumulate);
  const projection = keyValueProjection(ops, config, weights);
  const { embeddingScale = 1, residualScale = 1 } = config;

  async function readLayer(
    l: number,
    n: number,
    blockEnds: readonly number[],
    maps: KeyValueMaps,
    attend: ReadOptions['attend'],
  ): Promise<void> {
    const layer = weights.layers[l];
    const cache = caches[l];
    const hidden = matrixRows(hiddenBuffer, n, D);
    const normed = matrixRows(normedBuffer, n, D);
    const attended = tokenMajorRows(attendedBuffer, H, n, d);
    const blockOf = (view: Rows): Rows => sliceRows(view, length, n);
    const queryUnrotated = cache!.queryUnrotated
      ? blockOf(cache!.queryUnrotated)
      : tokenMajorRows(queryBuffer!, H, n, d);
    const keyUnrotated = blockOf(cache!.keyUnrotated);
    const normedOr = (norm: DeviceNorm | null, place: Rows): Rows => {
      if (!norm) return hidden;
      normalize(hidden, norm, place);
      return place;
    };
    // What a block found is added to the residual stream; nothing else is in `normed` by then.
    const add = (found: Rows, map: DeviceLinear, norm: DeviceNorm | null): void => {
      if (!norm && residualScale === 1) {
        project(found, map, hidden, true);
        return;
      }
      project(found, map, normed);
      if (norm) normalize(normed, norm, normed);
      ops.sumHeads({ input: normed, out: hidden, factor: residualScale, accumulate: true });
    };
    const up = matrixRows(upBuffer, n, F);
    const feedForward = (): void => {
      const seen = normedOr(layer!.feedForwardNorm, normed);
      project(seen, layer!.up, up);
      const { activation } = config;
      if (layer!.gate && gateBuffer) {
        const gate = matrixRows(gateBuffer, n, F);
        project(seen, layer!.gate, gate);
        ops.gate({ kind: activation === 'gelu-tanh-gate' ? 'gelu-tanh' : 'silu', gate, up, out: up });
      } else ops.activate({ kind: activation === 'gelu' ? 'gelu' : 'gelu-tanh', input: up, out: up });
    };

    const kept = cache!.hidden && blockOf(cache!.hidden);
    const input = normedOr(layer!.inputNorm, kept ?? normed);
    if (kept && input !== kept) ops.copyRows({ input, out: kept });
    project(input, layer!.query, joinHeads(queryUnrotated));
    projection.project(l, maps, input, { keyUnrotated, value: blockOf(cache!.value) });
    if (layer!.queryNorm) {
      const normalized = config.queryKeyNorm === 'all' ? joinHeads(queryUnrotated) : queryUnrotated;
      normalize(normalized, layer!.queryNorm, normalized, 'rms');
    }
    let query = queryUnrotated;
    const rotation = rotations.of(l);
    if (rotation && rotatedBuffer) {
      query = tokenMajorRows(rotatedBuffer, H, n, d);
      const step = { start: length, step: 1 } as const;
      ops.rotate({ input: queryUnrotated, table: rotation, positions: step, out: query });
    }
    const key = rotatedKeys.of(l, cache!.keyUnrotated, length + n);
    const read = { query, key, value: sliceRows(cache!.value, 0, length + n) };
    let start = length;
    for (const end of blockEnds) {
      const ofBlock = (view: Rows): Rows => sliceRows(view, start - length, end - start);
      const waits = attend({
        ...{ layer: l, start, end, window: windowOf(config, l), logSumExp: cache!.logSumExp },
        query: ofBlock(query),
        queryUnrotated: ofBlock(queryUnrotated),
        key: sliceRows(key, 0, end),
        keyUnrotated: sliceRows(cache!.keyUnrotated, 0, end),
        value: sliceRows(cache!.value, 0, end),
        hidden: cache!.hidden && sliceRows(cache!.hidden, 0, end),
        blockHidden: ofBlock(input),
        read,
        out: ofBlock(attended),
      });
      if (waits) await waits;
      start = end;
    }
    if (l === layers - 1 && layers < config.layers) return;
    if (config.isParallel) feedForward();
    add(joinHeads(attended), layer!.output, layer!.attentionOutputNorm);
    if (!config.isParallel) feedForward();
    add(up, layer!.down, layer!.feedForwardOutputNorm);
  }

  return {
    get length() {
      return length;
    },
    caches,
    rotations,
    async read(block, { blockEnds = [length + block.length], keyValueMaps, attend, observe }) {
      const n = block.length;
      if (n > mostAtOnce)
        throw new RangeError(`a block of ${n} tokens, at most ${mostAtOnce} were announced`);
      if (length + n > capacity)
        throw new RangeError(`token ${length + n} is beyond the capacity of ${capacity}`);
      const hidden = matrixRows(hiddenBuffer, n, D);
      const normed = matrixRows(normedBuffer, n, D);
      lookUpRows(ops, weights.embedding, block, ids, embeddingScale === 1 ? hidden : normed);
      if (embeddingScale !== 1) ops.sumHeads({ input: normed, out: hidden, factor: embeddingScale });
      if (positions && places) {
        const numbers = Uint32Array.from({ length: n }, (_, i) => length + i);
        lookUpRows(ops, positions, numbers, places, hidden, true);
      }
      for (let l = 0; l < layers; l++) {
        observe?.(l, hidden);
        await readLayer(l, n, blockEnds, keyValueMaps?.(l) ?? projection.maps(l), attend);
        await ops.pace();
      }
      normalize(hidden, weights.finalNorm, normed);
      length += n;
      return normed;
    },
    takeOver(layers, tokens) {
      if (length > 0) throw new RangeError(`${length} tokens were read already`);
      for (const [l, cache] of caches.entries()) {
        const take = (input: Rows, out: Rows): void =>
          ops.copyRows({ input: sliceRows(input, 0, tokens), out: sliceRows(out, 0, tokens) });
        take(layers[l]!.keyUnrotated!, cache.keyUnrotated);
        take(layers[l]!.value, cache.value);
        if (cache.hidden) take(layers[l]!.hidden!, cache.hidden);
      }
      length = tokens;
    },
    logits(hidden, out) {
      writeLogits(decoder, hidden, out);
    },
    rewind(to) {
      if (to < 0 || to > length) throw new RangeError(`cannot return to ${to} of ${length} tokens`);
      length = to;
      rotatedKeys.truncate(to);
    },
    finish: () => working.release(),
    release() {
      working.release();
      kept.release();
    },
  };
}
