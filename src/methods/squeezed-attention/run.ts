/** A run of Squeezed Attention: clusters and thresholds of the context, and what later queries look up. */
import type { ScoreRows } from '../../../gpu/ops';
import { type Rows, sliceRows } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import type { LayerTrace } from '../../trace/trace';
import { keepEverything } from '../keep-everything';
import type { EachQuery, LayerInput, MethodContext, MethodRun, ScoreMemo, Selection } from '../method';
import type { Parameters } from '../parameters';
import { type Buffers, inBuffers, ownMemo, remembered } from '../remember';
import type { LayerClusters } from './clusters';
import { type Asking, above, byQuery, type LookedUp, sigma, spread, upload } from './look-up';
import { clustersName, numbersIn } from './schema';

/** What the observation window looked up on average, [H, clusters] of each level, by layer. */
interface Observed {
  readonly fine: Float32Array;
  readonly coarse: Float32Array | null;
}

/** Below every score: nothing is pruned. */
const NO_THRESHOLD = -1;

/** More than a text has tokens; 32 bits times this are whole numbers still. */
const KEYS_SPACE = 2 ** 21;

const ONE_CLUSTER =
  'With a single cluster every query gives its centroid all attention, which is the threshold as well: rounding decides whether the context is kept. Take more clusters.';

const observedOf = new WeakMap<LayerTrace, Map<string, Observed>>();

/** What a block looked up, a row for each query head; where each query did, for each of these. */
export interface LookUp extends Buffers {
  /** By token; of each query those of all heads side by side. */
  readonly tokens: ScoreRows;
  /** By cluster, and by coarse cluster; null: one level. */
  readonly fine: ScoreRows;
  readonly coarse: ScoreRows | null;
}

export class SqueezedRun implements MethodRun {
  readonly #context: MethodContext;
  readonly #parameters: Parameters;
  readonly #firstQuery: number;
  readonly #memo: ScoreMemo;
  readonly #own = ownMemo();
  readonly notices: readonly string[];
  readonly each: EachQuery;
  #clusters: ReadonlyMap<number, LayerClusters> = new Map();
  #observed: ReadonlyMap<number, Observed> = new Map();
  #thresholds = new Map<string, number>();

  /** `firstQuery`: the first that looks clusters up; the first after the context by default. */
  constructor(context: MethodContext, parameters: Parameters, firstQuery = context.evictAt) {
    this.#context = context;
    this.#parameters = parameters;
    this.#firstQuery = firstQuery;
    this.#memo = context.memo ?? this.#own;
    this.notices = this.#isDecidedByRounding() ? [ONE_CLUSTER] : [];
    this.each = {
      scoresOfQuery: context.queryHeads,
      select: (input) => (this.#chooses(input) ? this.#chosen(input, 'each') : null),
    };
  }

  /** One threshold is for all layers: all are looked at, whichever are asked about. */
  async prepare(layerTraces: readonly LayerTrace[] | null, signal?: AbortSignal): Promise<void> {
    const layers = this.#context.recorded ?? layerTraces;
    if (!layers)
      throw new UserError('squeezed-attention needs the keys of a text that was read with full attention.');
    // Loaded here so that the page, which only lists the methods, does without.
    const { clustersOf } = await import('./clusters');
    this.#clusters = await clustersOf(this.#context, this.#parameters, layers, signal);
    const observed = new Map<number, Observed>();
    const known = layers.filter(({ layer }) => this.#clusters.has(layer));
    const all = await Promise.all(known.map((source) => this.#observe(source)));
    for (const [i, { layer }] of known.entries()) observed.set(layer, all[i]!);
    signal?.throwIfAborted();
    this.#observed = observed;
    this.#thresholds.clear();
  }

  select(input: LayerInput): Selection {
    const { start } = input.block;
    return this.#chooses(input)
      ? this.#chosen(input, 'together')[0]!
      : keepEverything(start, start < this.#firstQuery ? 'dense-before' : undefined);
  }

  /** A single centroid has all of a look-up's attention, whatever the query: no score is above the threshold but by rounding. */
  #isDecidedByRounding(): boolean {
    return Array.from({ length: this.#context.layers }, (_, layer) => this.#numbers(layer)).some(
      ({ clusters, quantile, coarseClusters, coarseQuantile }) =>
        (clusters === 1 && quantile > 0) || (coarseClusters === 1 && coarseQuantile > 0),
    );
  }

  #chooses({ layer, block: { start, end } }: LayerInput): boolean {
    const { clustered, quantile, coarseClusters } = this.#numbers(layer);
    return start >= this.#firstQuery && start < end && clustered > 0 && (quantile > 0 || coarseClusters > 0);
  }

  #chosen(input: LayerInput, asking: Asking): Selection[] {
    const { layer, block } = input;
    const { clustered } = this.#numbers(layer);
    const { value, owned } = this.lookUp(input, asking);
    const { tokens } = value;
    const threshold = this.threshold(layer, 'fine');
    const list = above(this.#context, tokens, threshold);
    const choices = asking === 'each' ? block.end - block.start : 1;
    const sets = list.sets / choices;
    return Array.from({ length: choices }, (_, i): Selection => {
      const offset = i * sets * clustered;
      return {
        list: { ...list, sets, offset, countsOffset: list.countsOffset! + i * sets },
        rangeStart: clustered,
        candidates: { start: 0, end: clustered },
        readSince: this.#context.evictAt,
        score: { rows: { ...tokens, rows: sets, offset }, scoreStart: 0 },
        threshold,
        // Those that equal the last one kept are kept.
        tiedAtCut: null,
        owned: i === 0 ? [list.buffer, ...owned] : [],
      };
    });
  }

  mark(): void {}
  rewind(): void {}

  dispose(): void {
    this.#own.release();
  }

  /** What a block looks up, or each of its queries; through the memo, if there is one. */
  lookUp(input: LayerInput, asking: Asking = 'together') {
    const { layer, block, query } = input;
    const { coarse } = this.#clusters.get(layer)!;
    const cut = coarse ? this.threshold(layer, 'coarse') : 'one level';
    const key = `squeezed/look-up/${this.#name(layer)}/${cut}/${layer}/${block.start}/${block.end}/${asking}`;
    return remembered(this.#context.memo, key, (): LookUp => this.#make(layer, query, asking));
  }

  /** τ of one level: the layer's quantile of what all layers, heads and tokens of the context got from the observation window. */
  threshold(layer: number, level: 'fine' | 'coarse'): number {
    const { quantile, coarseQuantile, coarseClusters } = this.#numbers(layer);
    const fraction = level === 'fine' ? quantile : coarseQuantile;
    // Of a second level nothing is kept that the first has dropped, which scores 0.
    if (fraction === 0) return level === 'fine' && coarseClusters > 0 ? 0 : NO_THRESHOLD;
    const name = `${level}/${fraction}`;
    const known = this.#thresholds.get(name) ?? this.#quantile(level, fraction);
    this.#thresholds.set(name, known);
    return known;
  }

  /** [G, clusters, d]. */
  centroids(layer: number): Float32Array {
    return this.#clusters.get(layer)!.fine.centroids;
  }

  #make(layer: number, query: Rows, asking: Asking): LookUp {
    const context = this.#context;
    const { ops } = context;
    const [fineLevel, coarseLevel] = [this.#level(layer, 'fine')!, this.#level(layer, 'coarse')];
    const ofTokens = (fine: ScoreRows): ScoreRows => {
      const tokens = spread(context, fine, fineLevel.labels);
      return asking === 'each' ? byQuery(context, tokens) : tokens;
    };
    if (!coarseLevel) {
      const fine = sigma(context, asking, query, fineLevel);
      const tokens = ofTokens(fine);
      return inBuffers(ops, [fine.buffer, tokens.buffer], { fine, tokens, coarse: null });
    }
    const coarse = sigma(context, asking, query, coarseLevel);
    const ofClusters = spread(context, coarse, coarseLevel.labels);
    const among = above(context, ofClusters, this.threshold(layer, 'coarse'));
    const fine = sigma(context, asking, query, fineLevel, among);
    const tokens = ofTokens(fine);
    ops.release(ofClusters.buffer, among.buffer);
    return inBuffers(ops, [coarse.buffer, fine.buffer, tokens.buffer], { coarse, fine, tokens });
  }

  async #observe(source: LayerTrace): Promise<Observed> {
    const { ops, evictAt } = this.#context;
    const { layer, query } = source;
    const ofText = observedOf.get(source) ?? new Map<string, Observed>();
    observedOf.set(source, ofText);
    const name = this.#name(layer);
    const known = ofText.get(name);
    if (known) return known;
    const { clustered } = this.#numbers(layer);
    const queries = sliceRows(query, clustered, evictAt - clustered);
    const read = async (level: LookedUp | null): Promise<Float32Array | null> => {
      if (!level) return null;
      const { buffer } = sigma(this.#context, 'together', queries, level);
      const values = ops.readFloats(buffer);
      ops.release(buffer);
      return values;
    };
    const reads = [read(this.#level(layer, 'fine')), read(this.#level(layer, 'coarse'))] as const;
    const [fine, coarse] = await Promise.all(reads);
    const observed = { fine: fine!, coarse };
    ofText.set(name, observed);
    return observed;
  }

  /** Between the nearest two by linear interpolation, as torch.quantile. */
  #quantile(level: 'fine' | 'coarse', fraction: number): number {
    const { queryHeads, keyValueHeads } = this.#context;
    const parts: Float64Array[] = [];
    let all = 0;
    for (const [layer, clusters] of this.#clusters) {
      const observed = this.#observed.get(layer)![level];
      if (!observed) continue;
      const { counts, clusters: count } = clusters[level]!;
      // Floats from 0 up have the order of their bits: with the keys behind them they are sorted as numbers.
      const bits = new Uint32Array(observed.buffer, observed.byteOffset, observed.length);
      const ofLayer = new Float64Array(bits.length);
      for (let head = 0, i = 0; head < queryHeads; head++) {
        const first = Math.floor((head * keyValueHeads) / queryHeads) * count;
        for (let cluster = first; cluster < first + count; cluster++, i++) {
          const keys = counts[cluster]!;
          if (keys > 0) ofLayer[i] = bits[i]! * KEYS_SPACE + keys;
          all += keys;
        }
      }
      parts.push(ofLayer);
    }
    const sorted = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
    let end = 0;
    for (const part of parts) {
      sorted.set(part, end);
      end += part.length;
    }
    sorted.sort();
    const place = fraction * (all - 1);
    const valueIn = (entry: number): number =>
      new Float32Array(Uint32Array.of(Math.floor(entry / KEYS_SPACE)).buffer)[0]!;
    const at = (index: number): number => {
      let before = 0;
      for (const entry of sorted) {
        before += entry % KEYS_SPACE;
        if (index < before) return valueIn(entry);
      }
      return valueIn(sorted.at(-1)!);
    };
    const [low, high] = [at(Math.floor(place)), at(Math.ceil(place))];
    return low + (place - Math.floor(place)) * (high - low);
  }

  #level(layer: number, level: 'fine' | 'coarse'): LookedUp | null {
    const clusters = this.#clusters.get(layer)![level];
    if (!clusters) return null;
    const key = `squeezed/${level}/${this.#name(layer)}/${layer}`;
    return this.#memo.get(key, () => upload(this.#context, clusters));
  }

  #numbers(layer: number) {
    return numbersIn(this.#parameters, layer, this.#context.evictAt);
  }

  #name(layer: number): string {
    return clustersName(this.#parameters, layer, this.#context.evictAt);
  }
}
