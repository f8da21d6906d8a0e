/**
 * The sweep: mass recall against kept fraction, for several methods and fractions from one recomputation of the attention
 * weights per layer. Every key gets, per method, a class: the set of points at which the method keeps it.
 */
import type { Method } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { RecordedLayer, RecordedText } from '../study/recorded';
import type { MethodSpec, SweepCurve, SweepPoint } from '../study/types';
import { Memo } from './memo';
import {
  contextOf,
  layerInput,
  overlap,
  type ProbeOptions,
  type ProbeRun,
  startProbe,
  type TokenRange,
} from './probe-run';
import { quiet } from './quiet';
import { type KeptKeys, readKept } from './selection-reader';
import { classify } from './sweep-classes';
import { massOfPoints } from './sweep-mass';

/** Twelve fractions of the text from 1/64 to 1, evenly spaced in their logarithm. */
export const SWEEP_FRACTIONS: readonly number[] = Array.from({ length: 12 }, (_, i) => 64 ** (i / 11 - 1));

/** Points share a bit mask. */
const MOST_POINTS = 31;

export interface SweepRequest {
  readonly text: RecordedText;
  readonly methods: readonly {
    readonly method: Method;
    readonly parameters: Parameters;
    readonly current: boolean;
  }[];
  readonly fractions: readonly number[];
  readonly queries: TokenRange;
  readonly memo?: Memo;
  readonly signal?: AbortSignal;
  readonly onLayer?: (layers: number) => void;
}

/** Measures all curves. Throws UserError for input a method cannot work with, or the signal's reason. */
export async function sweep(request: SweepRequest): Promise<SweepCurve[]> {
  const { text, queries, signal, onLayer } = request;
  if (request.fractions.length > MOST_POINTS)
    throw new RangeError(`a sweep has at most ${MOST_POINTS} points`);
  // The points of a curve share their scores, and the curves what they have in common.
  const memo = request.memo ?? new Memo();
  const curves: Curve[] = [];
  try {
    for (const { method, parameters, current } of request.methods) {
      const curve = new Curve({ id: method.id, parameters }, current, request.fractions);
      curves.push(curve);
      await curve.start(text, method, parameters, queries.start, { memo, signal });
    }
    let done = 0;
    for (const layers of batches(text, curves, queries)) {
      const asked: Promise<Group[][]>[][] = [];
      for (const recorded of layers) {
        const ofLayer: Promise<Group[][]>[] = [];
        for (const curve of curves) ofLayer.push((await curve.ask(text, recorded, queries, signal)).groups);
        asked.push(ofLayer);
      }
      const measured: Promise<LayerNumbers>[] = [];
      for (const [i, recorded] of layers.entries()) {
        const groups = await Promise.all(asked[i]);
        measured.push(quiet(measure(text, recorded, groups, queries, signal)));
        await text.ops.pace();
        signal?.throwIfAborted();
      }
      for (const numbers of measured) {
        addLayer(curves, await numbers);
        onLayer?.(++done);
      }
      for (const curve of curves) curve.renew();
    }
    return curves.map((curve) => curve.result());
  } finally {
    for (const curve of curves) curve.dispose();
    if (!request.memo) memo.close();
  }
}

/** Most tokens that are listed at once: blocks × points × tokens of the text. */
const MOST_LISTED = 2 ** 23;

/** Layers that are measured together, see `probe`: on a GPU it is waiting that costs. */
function batches(text: RecordedText, curves: readonly Curve[], queries: TokenRange): RecordedLayer[][] {
  const { ops, recorded, tokens } = text;
  const lists = curves.reduce((sum, curve) => sum + curve.listsWithin(queries), 0);
  const together = ops.backend === 'cpu' || ops.isSoftware ? 1 : Math.floor(MOST_LISTED / (lists * tokens));
  const size = Math.max(1, together);
  return Array.from({ length: Math.ceil(recorded.length / size) }, (_, i) =>
    recorded.slice(i * size, (i + 1) * size),
  );
}

/** Consecutive queries that share what they keep. */
interface Group extends TokenRange {
  readonly kept: KeptKeys;
}

/** One method at all fractions. */
class Curve {
  /** One run per point; null where there is none, see `missing`. */
  readonly runs: (ProbeRun | null)[] = [];
  /** Per layer, per point. */
  readonly massRecall: (number | null)[][] = [];
  readonly keptShare: (number | null)[][] = [];
  /** Why there is no point. */
  private readonly missing: Pick<SweepPoint, 'floor' | 'reason'>[] = [];
  private readonly spec: MethodSpec;
  private readonly isCurrent: boolean;
  private readonly fractions: readonly number[];
  private readsAll = false;

  constructor(spec: MethodSpec, isCurrent: boolean, fractions: readonly number[]) {
    this.spec = spec;
    this.isCurrent = isCurrent;
    this.fractions = fractions;
  }

  async start(
    text: RecordedText,
    method: Method,
    parameters: Parameters,
    evictAt: number,
    options: ProbeOptions,
  ): Promise<void> {
    this.readsAll = method.family === 'evict-reading';
    for (const [point, fraction] of this.fractions.entries()) {
      const fitted = method.withBudget(parameters, contextOf(text), fraction, evictAt);
      const isPossible = 'parameters' in fitted;
      if (!isPossible) this.missing[point] = fitted;
      this.runs.push(isPossible ? await startProbe(text, method, fitted.parameters, evictAt, options) : null);
    }
  }

  /** Most lists of tokens that one layer has at all points. */
  listsWithin(queries: TokenRange): number {
    return this.runs.reduce(
      (sum, started) => sum + (started?.blocks.filter((block) => overlap(block, queries)).length ?? 0),
      0,
    );
  }

  /** Asks what every point keeps in one layer, per point in consecutive groups of queries (none below the floor). */
  async ask(
    text: RecordedText,
    recorded: RecordedLayer,
    queries: TokenRange,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly groups: Promise<Group[][]> }> {
    const { ops } = text;
    const points: Promise<Group[]>[] = [];
    for (const started of this.runs) {
      const reads: Promise<Group>[] = [];
      for (const block of started?.blocks ?? []) {
        const measured = overlap(block, queries);
        if (!started || (!measured && (!this.readsAll || block.start >= queries.end))) continue;
        signal?.throwIfAborted();
        const selection = started.run.select(layerInput(recorded, block));
        if (measured) {
          reads.push(quiet(readKept(ops, selection).then((kept) => ({ ...measured, kept }))));
        }
        ops.release(...selection.owned);
        await ops.pace();
      }
      points.push(quiet(Promise.all(reads)));
    }
    return { groups: quiet(Promise.all(points)) };
  }

  renew(): void {
    for (const started of this.runs) started?.memo.renew();
  }

  result(): SweepCurve {
    const points = this.fractions.map((keep, point): SweepPoint => {
      if (!this.runs[point])
        return { keep, kept: null, massRecall: null, layers: null, ...this.missing[point] };
      const layers = this.massRecall.map((points) => points[point] ?? 0);
      const kept = this.keptShare.map((points) => points[point] ?? 0);
      return { keep, kept: mean(kept), massRecall: mean(layers), layers };
    });
    return { method: this.spec, current: this.isCurrent, points };
  }

  dispose(): void {
    for (const started of this.runs) started?.dispose();
  }
}

/** Means over the queries of one layer: [curve][point]. */
interface LayerNumbers {
  readonly massRecall: number[][];
  readonly keptShare: number[][];
}

/** Records the measurement of one layer; resolves with its numbers. `groups`: [curve][point]. */
async function measure(
  text: RecordedText,
  recorded: RecordedLayer,
  groups: readonly Group[][][],
  queries: TokenRange,
  signal: AbortSignal | undefined,
): Promise<LayerNumbers> {
  const mass = groups.map((points) => points.map(() => 0));
  const share = groups.map((points) => points.map(() => 0));
  const segments = [];
  for (const segment of segmentsOf(groups.flat(2), queries)) {
    signal?.throwIfAborted();
    const keptBy = groups.map((points) =>
      points.map(
        (list) => list.find(({ start, end }) => start <= segment.start && segment.end <= end)?.kept ?? null,
      ),
    );
    const sets = Math.max(1, ...keptBy.flat().map((kept) => kept?.sets.length ?? 1));
    const classes = keptBy.map((points) => classify(points, sets, segment.end));
    segments.push({ segment, keptBy, sums: quiet(massOfPoints(text, recorded, segment, classes, sets)) });
    await text.ops.pace();
  }
  for (const { segment, keptBy, ...promised } of segments) {
    const sums = await promised.sums;
    for (const [curve, points] of keptBy.entries()) {
      for (const [point, kept] of points.entries()) {
        mass[curve][point] += sums[curve][point] ?? 0;
        if (kept) share[curve][point] += keptShare(kept, segment);
      }
    }
  }
  const count = queries.end - queries.start;
  return {
    massRecall: mass.map((points) => points.map((sum) => Math.min(1, sum / (count * text.queryHeads)))),
    keptShare: share.map((points) => points.map((sum) => sum / count)),
  };
}

function addLayer(curves: readonly Curve[], { massRecall, keptShare }: LayerNumbers): void {
  for (const [i, curve] of curves.entries()) {
    curve.massRecall.push(massRecall[i]);
    curve.keptShare.push(keptShare[i]);
  }
}

/** Stretches of `queries` in which no group begins or ends. */
function segmentsOf(groups: readonly Group[], queries: TokenRange): TokenRange[] {
  const cuts = new Set([queries.start, queries.end, ...groups.flatMap(({ start, end }) => [start, end])]);
  const places = [...cuts].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => ({ start: places[i], end }));
}

/** Σ over the segment's queries of kept ÷ visible keys. */
function keptShare(kept: KeptKeys, segment: TokenRange): number {
  const listed = kept.sets.reduce((sum, set) => sum + set.length, 0) / kept.sets.length;
  let sum = 0;
  for (let position = segment.start; position < segment.end; position++) {
    sum += (listed + position + 1 - kept.rangeStart) / (position + 1);
  }
  return sum;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
