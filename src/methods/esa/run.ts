/** A run of ESA over all layers: scores the middle, chooses, remembers compressed keys. */
import type { RowScalars, ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import type { LayerTrace } from '../../trace/trace';
import { attendEachFarAndNear, attendFarAndNear } from '../far-and-near';
import { farRows } from '../far-rows';
import type {
  EachQuery,
  FarRows,
  LayerInput,
  MethodContext,
  MethodRun,
  QueryBlock,
  QueryScores,
  ScoreMemo,
  Selection,
  UnrotatedInput,
  VisibleOfEach,
} from '../method';
import type { Parameters } from '../parameters';
import { inBuffers, ownMemo } from '../remember';
import { KeyCache } from './key-cache';
import { type Partition, partition } from './partition';
import { type Projections, prepareProjections } from './projection';
import { isExact, lengthsIn, scoresRotated } from './schema';
import { importanceScores, middleRows, middleScores, queryScores, type Scorer } from './scores';

export class EsaRun implements MethodRun {
  notices: readonly string[] = [];
  readonly #context: MethodContext;
  readonly #parameters: Parameters;
  /** Projections, compressed keys, constants: what lives longer than a selection. */
  readonly #memo: ScoreMemo;
  readonly #own = ownMemo();
  #projections: Projections | null = null;
  /** Compressed keys of this run alone, which go back with the text when it rewinds. */
  readonly #caches = new Set<KeyCache>();
  #marked = new Map<KeyCache, number>();

  constructor(context: MethodContext, parameters: Parameters) {
    this.#context = context;
    this.#parameters = parameters;
    this.#memo = context.memo ?? this.#own;
  }

  async prepare(layerTraces: readonly LayerTrace[] | null, signal?: AbortSignal): Promise<void> {
    if (isExact(this.#parameters)) return;
    this.#projections = await prepareProjections(
      this.#context,
      this.#parameters,
      this.#memo,
      layerTraces,
      signal,
    );
    this.notices = this.#projections.notices;
  }

  select(input: LayerInput): Selection {
    if (!this.#mustChoose(input)) return this.#keepAll(input);
    return this.#choose(input, this.#scorer(input.layer), null)[0]!;
  }

  selectExactly(input: LayerInput): Selection | null {
    if (!this.#isApproximate(input)) return null;
    return this.#choose(input, this.#exact(input.layer), null)[0]!;
  }

  queryScores(input: LayerInput, queries = input.block): QueryScores | null {
    if (!this.#isApproximate(input)) return null;
    return this.#compared(input, (scorer) => this.#scoresOfEach(scorer, input, queries));
  }

  /** What holds for the first query holds for all: the later ones have longer middles and the same initial tokens. */
  readonly each: EachQuery = {
    select: (input) =>
      this.#mustChoose(input) ? this.#choose(input, this.#scorer(input.layer), queriesOf(input)) : null,
    selectExactly: (input) =>
      this.#isApproximate(input) ? this.#choose(input, this.#exact(input.layer), queriesOf(input)) : null,
    queryScores: (input) =>
      this.#isApproximate(input)
        ? this.#compared(input, (scorer) => this.#importance(scorer, input, queriesOf(input)))
        : null,
  };

  /**
   * The paper re-bases local positions to 0…; rotary logits depend on differences alone, so the model's own rotation gives the
   * same and saves rotating the keys again.
   */
  attend(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void {
    attendFarAndNear(this.#context, (part) => this.farRows(part), input, selection, out, logSumExp);
  }

  farEnd(layer: number, block: QueryBlock): number {
    const { initTokens, localTokens } = lengthsIn(this.#parameters, layer);
    return partition(block.start, initTokens, localTokens).localStart;
  }

  farRows(input: UnrotatedInput): FarRows {
    return farRows('esa', this.#context, lengthsIn(this.#parameters, input.layer).globalPosition, input);
  }

  attendEach(input: LayerInput, visible: VisibleOfEach, out: Rows, logSumExp: RowScalars): void {
    attendEachFarAndNear(this.#context, (part) => this.farRows(part), input, visible, out, logSumExp);
  }

  attendsBy(layer: number): string {
    return String(lengthsIn(this.#parameters, layer).globalPosition);
  }

  mark(): void {
    this.#marked = new Map([...this.#caches].map((cache) => [cache, cache.length]));
  }

  rewind(): void {
    for (const cache of this.#caches) cache.length = Math.min(cache.length, this.#marked.get(cache) ?? 0);
  }

  dispose(): void {
    this.#own.release();
  }

  #compared(
    { layer }: LayerInput,
    scoresBy: (scorer: Scorer) => { rows: ScoreRows; owned: readonly DeviceBuffer[] },
  ): QueryScores {
    const [approximate, exact] = [scoresBy(this.#compressed(layer)), scoresBy(this.#exact(layer))];
    const count = lengthsIn(this.#parameters, layer).selectedTokens;
    return {
      approximate: approximate.rows,
      exact: exact.rows,
      owned: [...approximate.owned, ...exact.owned],
      count,
    };
  }

  /** Scores of the middle by query. A block of one has the importance that chose for it: nothing was pooled. */
  #scoresOfEach(
    scorer: Scorer,
    input: LayerInput,
    queries: QueryBlock,
  ): { rows: ScoreRows; owned: readonly DeviceBuffer[] } {
    if (queriesOf(input) === 1) return this.#importance(scorer, input, null);
    const parts = this.#parts(input);
    const length = parts.localStart - parts.initEnd;
    const buffer = queryScores(this.#context, scorer, input, parts, queries);
    const rows = { buffer, offset: 0, rows: queries.end - queries.start, length, rowStride: length };
    return { rows, owned: [buffer] };
  }

  #importance(
    scorer: Scorer,
    input: LayerInput,
    queries: number | null,
  ): { rows: ScoreRows; owned: readonly DeviceBuffer[] } {
    const scored = { parts: this.#parts(input), queries };
    const { initTokens } = lengthsIn(this.#parameters, input.layer);
    const { value, owned } = importanceScores(
      this.#context,
      scorer,
      input,
      scored,
      this.#infinities(initTokens),
    );
    return { rows: middleRows(value.buffer, scored), owned };
  }

  #parts({ layer, block }: LayerInput): Partition {
    const { initTokens, localTokens } = lengthsIn(this.#parameters, layer);
    return partition(block.start, initTokens, localTokens);
  }

  /** Whether the middle has more tokens than may stay. */
  #mustChoose(input: LayerInput): boolean {
    const { initEnd, localStart } = this.#parts(input);
    return localStart - initEnd > lengthsIn(this.#parameters, input.layer).selectedTokens;
  }

  /** Whether a choice is made, and not by the exact score. */
  #isApproximate(input: LayerInput): boolean {
    return !isExact(this.#parameters) && this.#mustChoose(input);
  }

  #keepAll(input: LayerInput): Selection {
    const { initEnd, localStart } = this.#parts(input);
    const list = localStart > 0 ? this.#firstTokens(Math.max(localStart, this.#context.totalTokens)) : null;
    return {
      list: list && { buffer: list, offset: 0, sets: 1, count: localStart, rowStride: localStart },
      ...{ rangeStart: localStart, candidates: { start: initEnd, end: localStart } },
      ...{ score: null, tiedAtCut: null, decidedBy: 'nothing', owned: [] },
    };
  }

  /** The block's choice; with `queries` that of each query of the input, a block of one. */
  #choose(input: LayerInput, scorer: Scorer, queries: number | null): Selection[] {
    const { ops } = this.#context;
    const { initTokens, selectedTokens, proximity } = lengthsIn(this.#parameters, input.layer);
    const parts = this.#parts(input);
    const { initEnd } = parts;
    // Initial tokens score infinitely much, so that top-k lists them before those it chooses.
    const initial = this.#infinities(initTokens);
    const scores = middleScores(this.#context, scorer, input, { parts, queries }, proximity, initial);
    const sets = queries ?? 1;
    const count = initEnd + selectedTokens;
    const buffer = ops.scratch('u32', sets * count, 'kept tokens');
    const tied = ops.scratch('u32', sets, 'tied at the cut');
    ops.topK({
      score: scores.dilated,
      secondary: scores.importance,
      count,
      indexBase: 0,
      out: { buffer, offset: 0, sets, count, rowStride: count },
      tied: { buffer: tied, offset: 0 },
    });
    return Array.from({ length: sets }, (_, set): Selection => {
      const localStart = parts.localStart + set;
      const middleOf = ({ buffer, rowStride }: ScoreRows): ScoreRows => {
        const length = localStart - initEnd;
        return { buffer, offset: set * rowStride + initEnd, rows: 1, length, rowStride: length };
      };
      return {
        list: count > 0 ? { buffer, offset: set * count, sets: 1, count, rowStride: count } : null,
        rangeStart: localStart,
        candidates: { start: initEnd, end: localStart },
        score: {
          rows: middleOf(scores.dilated),
          secondary: middleOf(scores.importance),
          scoreStart: initEnd,
        },
        tiedAtCut: selectedTokens > 0 ? { buffer: tied, offset: set, sets: 1 } : null,
        owned: set === 0 ? [buffer, tied, ...scores.owned] : [],
      };
    });
  }

  #scorer(layer: number): Scorer {
    return isExact(this.#parameters) ? this.#exact(layer) : this.#compressed(layer);
  }

  /** At the position of the projection, where there is one: what differs then is the compression alone. */
  #exact(layer: number): Scorer {
    const own = scoresRotated(this.#parameters) ? lengthsIn(this.#parameters, layer).globalPosition : null;
    const rotation = this.#projections ? this.#projections.of(layer).rotation : own;
    const keys = this.#keysOf('exact', layer);
    return { name: `exact/${rotation}`, rotation, projection: null, keys };
  }

  #compressed(layer: number): Scorer {
    if (!this.#projections) throw new Error('prepare() was not awaited before the first selection');
    const projection = this.#projections.of(layer);
    const { name, rotation } = projection;
    return { name, rotation, projection, keys: this.#keysOf(name, layer) };
  }

  #keysOf(name: string, layer: number): KeyCache {
    const { ops, totalTokens } = this.#context;
    const make = (): KeyCache => new KeyCache(ops, totalTokens);
    const keys = this.#memo.get(`esa/keys/${name}/${layer}`, make);
    if (!this.#context.memo) this.#caches.add(keys);
    return keys;
  }

  /** 0, 1, 2, …: a list of the first tokens, as many as are wanted of it. */
  #firstTokens(count: number): DeviceBuffer {
    const { ops } = this.#context;
    const make = () => {
      const tokens = Uint32Array.from({ length: count }, (_, token) => token);
      const buffer = ops.upload(tokens, 'first tokens');
      return inBuffers(ops, [buffer], { buffer });
    };
    return this.#memo.get(`esa/first-tokens/${count}`, make).buffer;
  }

  #infinities(count: number): DeviceBuffer {
    const { ops } = this.#context;
    const make = () => {
      const buffer = ops.upload(new Float32Array(count).fill(Number.POSITIVE_INFINITY), 'initial scores');
      return inBuffers(ops, [buffer], { buffer });
    };
    return this.#memo.get(`esa/initial-scores/${count}`, make).buffer;
  }
}

function queriesOf({ block }: LayerInput): number {
  return block.end - block.start;
}
