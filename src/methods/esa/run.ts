/** A run of ESA over all layers: scores the middle, chooses, remembers compressed keys. */
import type { RowScalars, ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import type { RecordedLayer } from '../../study/recorded';
import type {
  FarRows,
  LayerInput,
  MethodContext,
  MethodRun,
  QueryBlock,
  ScoreMemo,
  Selection,
  UnrotatedInput,
  VisibleOfEach,
} from '../method';
import type { Parameters } from '../parameters';
import { inBuffers, ownMemo } from '../remember';
import { attendEachEsa, attendEsa, farRows } from './attend';
import { KeyCache } from './key-cache';
import { type Partition, partition } from './partition';
import { type Projections, prepareProjections } from './projection';
import { isExact, lengthsIn, scoresRotated } from './schema';
import { middleScores, peakScores, queryScores, type Scorer } from './scores';

export class EsaRun implements MethodRun {
  readonly positions = 'own';
  notices: readonly string[] = [];
  private readonly context: MethodContext;
  private readonly parameters: Parameters;
  /** Projections, compressed keys, constants: what lives longer than a selection. */
  private readonly memo: ScoreMemo;
  private readonly own = ownMemo();
  private projections: Projections | null = null;
  /** Compressed keys of this run alone, which go back with the text when it rewinds. */
  private readonly caches = new Set<KeyCache>();
  private marked = new Map<KeyCache, number>();

  constructor(context: MethodContext, parameters: Parameters) {
    this.context = context;
    this.parameters = parameters;
    this.memo = context.memo ?? this.own;
  }

  async prepare(recorded: readonly RecordedLayer[] | null, signal?: AbortSignal): Promise<void> {
    if (isExact(this.parameters)) return;
    this.projections = await prepareProjections(this.context, this.parameters, this.memo, recorded, signal);
    this.notices = this.projections.notices;
  }

  select(input: LayerInput): Selection {
    return this.choose(
      input,
      isExact(this.parameters) ? this.exact(input.layer) : this.compressed(input.layer),
    );
  }

  selectExactly(input: LayerInput): Selection | null {
    if (isExact(this.parameters) || !this.mustChoose(input)) return null;
    return this.choose(input, this.exact(input.layer));
  }

  queryScores(input: LayerInput, queries = input.block): ReturnType<NonNullable<MethodRun['queryScores']>> {
    if (isExact(this.parameters) || !this.mustChoose(input)) return null;
    const [approximate, exact] = [this.compressed(input.layer), this.exact(input.layer)].map((scorer) =>
      this.scoresOfEach(scorer, input, queries),
    );
    const count = lengthsIn(this.parameters, input.layer).selectedTokens;
    const owned = [...approximate!.owned, ...exact!.owned];
    return { approximate: approximate!.rows, exact: exact!.rows, owned, count };
  }

  attend(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void {
    const { globalPosition } = lengthsIn(this.parameters, input.layer);
    attendEsa(this.context, globalPosition, input, selection, out, logSumExp);
  }

  farEnd(layer: number, block: QueryBlock): number {
    const { initTokens, localTokens } = lengthsIn(this.parameters, layer);
    return partition(block.start, initTokens, localTokens).localStart;
  }

  farRows(input: UnrotatedInput): FarRows {
    return farRows(this.context, lengthsIn(this.parameters, input.layer).globalPosition, input);
  }

  attendEach(input: LayerInput, visible: VisibleOfEach, out: Rows, logSumExp: RowScalars): void {
    const { globalPosition } = lengthsIn(this.parameters, input.layer);
    attendEachEsa(this.context, globalPosition, input, visible, out, logSumExp);
  }

  attendsBy(layer: number): string {
    return String(lengthsIn(this.parameters, layer).globalPosition);
  }

  mark(): void {
    this.marked = new Map([...this.caches].map((cache) => [cache, cache.length]));
  }

  rewind(): void {
    for (const cache of this.caches) cache.length = Math.min(cache.length, this.marked.get(cache) ?? 0);
  }

  dispose(): void {
    this.own.release();
  }

  /** Scores of the middle by query. A block of one has the peaks that chose for it: nothing was pooled. */
  private scoresOfEach(
    scorer: Scorer,
    input: LayerInput,
    queries: QueryBlock,
  ): { rows: ScoreRows; owned: readonly DeviceBuffer[] } {
    const { context, parameters } = this;
    const parts = this.parts(input);
    const { initEnd, localStart } = parts;
    const length = localStart - initEnd;
    if (input.block.end - input.block.start === 1) {
      const { initTokens } = lengthsIn(parameters, input.layer);
      const { value, owned } = peakScores(context, scorer, input, parts, this.infinities(initTokens));
      return { rows: { buffer: value.buffer, offset: initEnd, rows: 1, length, rowStride: length }, owned };
    }
    const buffer = queryScores(context, scorer, input, parts, queries);
    const rows = { buffer, offset: 0, rows: queries.end - queries.start, length, rowStride: length };
    return { rows, owned: [buffer] };
  }

  private parts({ layer, block }: LayerInput): Partition {
    const { initTokens, localTokens } = lengthsIn(this.parameters, layer);
    return partition(block.start, initTokens, localTokens);
  }

  /** Whether the middle has more tokens than may stay. */
  private mustChoose(input: LayerInput): boolean {
    const { initEnd, localStart } = this.parts(input);
    return localStart - initEnd > lengthsIn(this.parameters, input.layer).selectedTokens;
  }

  private choose(input: LayerInput, scorer: Scorer): Selection {
    const { ops, totalTokens } = this.context;
    const { initTokens, selectedTokens, proximity } = lengthsIn(this.parameters, input.layer);
    const parts = this.parts(input);
    const { initEnd, localStart } = parts;
    const base = { rangeStart: localStart, candidates: { start: initEnd, end: localStart } };
    if (!this.mustChoose(input)) {
      const list = localStart > 0 ? this.firstTokens(Math.max(localStart, totalTokens)) : null;
      return {
        ...base,
        list: list && { buffer: list, offset: 0, sets: 1, count: localStart, rowStride: localStart },
        ...{ score: null, tiedAtCut: null, decidedBy: 'nothing' as const, owned: [] },
      };
    }
    // Initial tokens score infinitely much, so that top-k lists them before those it chooses.
    const scores = middleScores(this.context, scorer, input, parts, proximity, this.infinities(initTokens));
    const count = initEnd + selectedTokens;
    const buffer = ops.scratch('u32', count, 'kept tokens');
    const list = { buffer, offset: 0, sets: 1, count, rowStride: count };
    const tied = { buffer: ops.scratch('u32', 1, 'tied at the cut'), offset: 0, sets: 1 };
    ops.topK({
      score: scores.dilated,
      secondary: scores.peaks,
      count,
      indexBase: 0,
      out: list,
      tied,
    });
    const middle = { offset: initEnd, length: localStart - initEnd };
    return {
      ...base,
      list: count > 0 ? list : null,
      score: {
        rows: { ...scores.dilated, ...middle },
        secondary: { ...scores.peaks, ...middle },
        scoreStart: initEnd,
      },
      tiedAtCut: selectedTokens > 0 ? tied : null,
      owned: [buffer, tied.buffer, ...scores.owned],
    };
  }

  /** At the position of the projection, where there is one: what differs then is the compression alone. */
  private exact(layer: number): Scorer {
    const own = scoresRotated(this.parameters) ? lengthsIn(this.parameters, layer).globalPosition : null;
    const rotation = this.projections ? this.projections.of(layer).rotation : own;
    const keys = this.keysOf('exact', layer);
    return { name: `exact/${rotation}`, rotation, projection: null, keys };
  }

  private compressed(layer: number): Scorer {
    if (!this.projections) throw new Error('prepare() was not awaited before the first selection');
    const projection = this.projections.of(layer);
    const { name, rotation } = projection;
    return { name, rotation, projection, keys: this.keysOf(name, layer) };
  }

  private keysOf(name: string, layer: number): KeyCache {
    const { ops, totalTokens } = this.context;
    const make = (): KeyCache => new KeyCache(ops, totalTokens);
    const keys = this.memo.get(`esa/keys/${name}/${layer}`, make);
    if (!this.context.memo) this.caches.add(keys);
    return keys;
  }

  /** 0, 1, 2, …: a list of the first tokens, as many as are wanted of it. */
  private firstTokens(count: number): DeviceBuffer {
    const { ops } = this.context;
    const make = () => {
      const tokens = Uint32Array.from({ length: count }, (_, token) => token);
      const buffer = ops.upload(tokens, 'first tokens');
      return inBuffers(ops, [buffer], { buffer });
    };
    return this.memo.get(`esa/first-tokens/${count}`, make).buffer;
  }

  private infinities(count: number): DeviceBuffer {
    const { ops } = this.context;
    const make = () => {
      const buffer = ops.upload(new Float32Array(count).fill(Number.POSITIVE_INFINITY), 'initial scores');
      return inBuffers(ops, [buffer], { buffer });
    };
    return this.memo.get(`esa/initial-scores/${count}`, make).buffer;
  }
}
