/** What the weights of tiles are measured by: from which weight on a dropped key is missed, row by row. */
import type { DeviceBuffer } from '../../gpu/rows';
import { sliceRows } from '../../gpu/rows';
import { FIRST_TOKENS, missedFrom } from '../measure/missed';
import type { LayerTrace, Trace } from '../trace/trace';
import { TileCache } from './cache';

/** Bytes of first weights that a text keeps: all layers of the bundled model at 16,384 tokens take 3 MiB. */
const CACHE_BYTES = 2 ** 25;

/** Bytes of factors that stay on the device beyond what is being evaluated: four layers of 32 heads at 16,384 tokens. */
const DEVICE_BYTES = 2 ** 23;

/** One layer's factors on the device. */
interface Factors {
  readonly buffer: DeviceBuffer;
  users: number;
}

/** Full attention's weight on the first tokens, by layer, and the factors that are made of it; the text's own. */
export class FirstWeights {
  readonly #text: Trace;
  readonly #layers = new TileCache<Promise<Float32Array>>(CACHE_BYTES, () => this.#bytesOfLayer);
  /** Least recently used first. */
  readonly #factors = new Map<number, Factors>();
  #isClosed = false;

  constructor(text: Trace) {
    this.#text = text;
  }

  /** [H, T]. */
  of(layer: LayerTrace): Promise<Float32Array> {
    const key = String(layer.layer);
    const known = this.#layers.get(key);
    if (known) return known;
    const made = readFirstWeights(this.#text, layer);
    this.#layers.set(key, made);
    made.catch(() => this.#layers.delete(key));
    return made;
  }

  /** `missedFactors` of layers on the device, [H, T] each, as they are from batch to batch; theirs until `done`. */
  async use(layers: readonly LayerTrace[]): Promise<{ readonly buffers: DeviceBuffer[]; done(): void }> {
    const weights = await Promise.all(layers.map((layer) => this.of(layer)));
    const used = layers.map(({ layer }, i) => {
      const known = this.#factors.get(layer);
      const factors = known ?? {
        buffer: this.#text.ops.upload(missedFactors(weights[i]!), 'factors of tile rows'),
        users: 0,
      };
      this.#factors.delete(layer);
      this.#factors.set(layer, factors);
      factors.users++;
      return factors;
    });
    const done = (): void => {
      for (const factors of used) factors.users--;
      this.#trim();
    };
    return { buffers: used.map(({ buffer }) => buffer), done };
  }

  /** The text is closed: releases what is on the device, what is being evaluated with it as soon as it is done. */
  close(): void {
    this.#isClosed = true;
    this.#trim();
  }

  #trim(): void {
    const most = this.#isClosed ? 0 : Math.floor(DEVICE_BYTES / this.#bytesOfLayer);
    for (const [layer, { buffer, users }] of this.#factors) {
      if (this.#factors.size <= most) return;
      if (users > 0) continue;
      this.#factors.delete(layer);
      this.#text.ops.release(buffer);
    }
  }

  get #bytesOfLayer(): number {
    return 4 * this.#text.queryHeads * this.#text.tokens;
  }
}

async function readFirstWeights(text: Trace, layer: LayerTrace): Promise<Float32Array> {
  const { ops, tokens, queryHeads, scores } = text;
  const keys = Math.min(FIRST_TOKENS, tokens);
  const rows = queryHeads * tokens;
  const out = ops.allocate('f32', rows * keys, 'weights of the first tokens');
  try {
    const { query, logSumExp, window } = layer;
    const key = sliceRows(layer.key, 0, keys);
    ops.attentionProbabilities({ query, key, ...scores, logSumExp, causalOffset: 0, window, out });
    const weights = await ops.readFloats(out);
    return Float32Array.from({ length: rows }, (_, row) => {
      let sum = 0;
      for (let token = 0; token < keys; token++) sum += weights[row * keys + token]!;
      return sum;
    });
  } finally {
    ops.release(out);
  }
}

/** 1 ÷ the weight from which on a dropped key is missed, for each row; 0 where none is. */
export function missedFactors(firstWeights: Float32Array): Float32Array {
  return firstWeights.map((weight) => 1 / missedFrom(weight));
}
