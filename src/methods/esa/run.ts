/** A run of ESA over all layers: scores the middle, chooses, remembers compressed keys. */
import type { RowScalars } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';
import type { RecordedLayer } from '../../study/recorded';
import type { LayerInput, MethodContext, MethodRun, Selection } from '../method';
import type { Parameters } from '../parameters';
import { attendEsa } from './attend';
import { KeyCache } from './key-cache';
import { partition } from './partition';
import { type Projections, prepareProjections } from './projection';
import { isExact, lengthsIn, scoresRotated } from './schema';
import { middleScores, queryScores, type Scorer } from './scores';

export class EsaRun implements MethodRun {
  readonly positions = 'own';
  notices: readonly string[] = [];
  private readonly context: MethodContext;
  private readonly parameters: Parameters;
  private projections: Projections | null = null;
  private readonly scorers = new Map<number, Scorer>();
  private readonly exactScorers = new Map<number, Scorer>();
  private marked = new Map<KeyCache, number>();

  constructor(context: MethodContext, parameters: Parameters) {
    this.context = context;
    this.parameters = parameters;
  }

  async prepare(recorded: readonly RecordedLayer[] | null, signal?: AbortSignal): Promise<void> {
    if (isExact(this.parameters)) return;
    this.projections = await prepareProjections(this.context, this.parameters, recorded, signal);
    this.notices = this.projections.notices;
  }

  select(input: LayerInput): Selection {
    return this.choose(
      input,
      isExact(this.parameters) ? this.exact(input.layer) : this.compressed(input.layer),
      true,
    );
  }

  selectExactly(input: LayerInput): Selection | null {
    if (isExact(this.parameters) || !this.mustChoose(input)) return null;
    return this.choose(input, this.exact(input.layer), false);
  }

  queryScores(input: LayerInput): ReturnType<NonNullable<MethodRun['queryScores']>> {
    if (isExact(this.parameters) || !this.mustChoose(input)) return null;
    const { initTokens, localTokens, selectedTokens } = lengthsIn(this.parameters, input.layer);
    const parts = partition(input.block.start, initTokens, localTokens);
    return {
      approximate: queryScores(this.context, this.compressed(input.layer), input, parts),
      exact: queryScores(this.context, this.exact(input.layer), input, parts),
      candidates: parts.localStart - parts.initEnd,
      count: selectedTokens,
    };
  }

  attend(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void {
    const { globalPosition } = lengthsIn(this.parameters, input.layer);
    attendEsa(this.context, globalPosition, input, selection, out, logSumExp);
  }

  mark(): void {
    this.marked = new Map(this.caches().map((cache) => [cache, cache.length]));
  }

  rewind(): void {
    for (const cache of this.caches()) cache.length = Math.min(cache.length, this.marked.get(cache) ?? 0);
  }

  dispose(): void {
    for (const cache of this.caches()) cache.release();
    this.projections?.release();
  }

  /** Whether the middle has more tokens than may stay. */
  private mustChoose({ layer, block }: LayerInput): boolean {
    const { initTokens, localTokens, selectedTokens } = lengthsIn(this.parameters, layer);
    const { initEnd, localStart } = partition(block.start, initTokens, localTokens);
    return localStart - initEnd > selectedTokens;
  }

  private choose(input: LayerInput, scorer: Scorer, mayShare: boolean): Selection {
    const { ops, memo } = this.context;
    const { layer, block } = input;
    const { initTokens, localTokens, selectedTokens, proximity } = lengthsIn(this.parameters, layer);
    const parts = partition(block.start, initTokens, localTokens);
    const { initEnd, localStart } = parts;
    const count = Math.min(selectedTokens, localStart - initEnd);
    const total = initEnd + count;
    const base = { rangeStart: localStart, candidates: { start: initEnd, end: localStart } };
    if (total === 0 && initEnd === localStart) {
      return { ...base, list: null, score: null, tiedAtCut: null, owned: [] };
    }
    // The first `total` tokens: right if everything stays, and its beginning right in any case.
    const buffer = ops.upload(
      Uint32Array.from({ length: total }, (_, token) => token),
      'kept tokens',
    );
    const list = total > 0 ? { buffer, offset: 0, sets: 1, count: total, rowStride: total } : null;
    if (!this.mustChoose(input)) return { ...base, list, score: null, tiedAtCut: null, owned: [buffer] };

    const make = () => middleScores(this.context, scorer, input, parts, proximity);
    const shared = mayShare ? memo : undefined;
    const scores = shared ? shared.get(`esa/${layer}/${block.start}`, make) : make();
    const tied = ops.allocate('u32', 1, 'tied at the cut');
    ops.topK({
      score: scores.dilated,
      secondary: scores.peaks,
      count,
      indexBase: initEnd,
      out: { buffer, offset: initEnd, sets: 1, count, rowStride: count },
      tied: { buffer: tied, offset: 0 },
    });
    return {
      ...base,
      list,
      score: { rows: scores.dilated, secondary: scores.peaks, scoreStart: initEnd },
      tiedAtCut: count > 0 ? { buffer: tied, offset: 0, sets: 1 } : null,
      owned: shared ? [buffer, tied] : [buffer, tied, ...scores.buffers],
    };
  }

  private exact(layer: number): Scorer {
    return this.scorer(this.exactScorers, layer, () => {
      const rotation = scoresRotated(this.parameters)
        ? lengthsIn(this.parameters, layer).globalPosition
        : null;
      return { rotation, projection: null, keys: this.newCache(null) };
    });
  }

  private compressed(layer: number): Scorer {
    return this.scorer(this.scorers, layer, () => {
      if (!this.projections) throw new Error('prepare() was not awaited before the first selection');
      const projection = this.projections.of(layer);
      return { rotation: projection.rotation, projection, keys: this.newCache(projection) };
    });
  }

  private scorer(known: Map<number, Scorer>, layer: number, make: () => Scorer): Scorer {
    const scorer = known.get(layer) ?? make();
    known.set(layer, scorer);
    return scorer;
  }

  private newCache(projection: Scorer['projection']): KeyCache {
    return new KeyCache(this.context.ops, projection, this.context.totalTokens);
  }

  private caches(): KeyCache[] {
    return [...this.scorers.values(), ...this.exactScorers.values()].map(({ keys }) => keys);
  }
}
