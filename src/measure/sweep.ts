/**
 * The sweep: mass recall against kept fraction, for several methods and fractions from one recomputation of the attention
 * weights per layer. Every key gets, per method, a class: the set of points at which the method keeps it.
 */
import type { Method } from '../methods/method';
import type { Parameters } from '../methods/parameters';
import type { RecordedLayer, RecordedText } from '../study/recorded';
import type { MethodSpec, SweepCurve, SweepPoint } from '../study/types';
import { contextOf, layerInput, overlap, type ProbeRun, startProbe, type TokenRange } from './probe-run';
import { createMemo, type Memo } from './score-memo';
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
  readonly signal?: AbortSignal;
  readonly onLayer?: (layers: number) => void;
}

/** Measures all curves. Throws UserError for input a method cannot work with, or the signal's reason. */
export async function sweep(request: SweepRequest): Promise<SweepCurve[]> {
  const { text, queries, signal, onLayer } = request;
  if (request.fractions.length > MOST_POINTS)
    throw new RangeError(`a sweep has at most ${MOST_POINTS} points`);
  const curves: Curve[] = [];
  try {
    for (const { method, parameters, current } of request.methods) {
      const curve = new Curve({ id: method.id, parameters }, current, request.fractions);
      curves.push(curve);
      await curve.start(text, method, parameters, queries.start, signal);
    }
    let layers = 0;
    for (const recorded of text.recorded) {
      signal?.throwIfAborted();
      const groups: Group[][][] = [];
      for (const curve of curves) groups.push(await curve.select(text, recorded, queries, signal));
      await measure(text, recorded, curves, groups, queries, signal);
      for (const curve of curves) curve.memo.clear();
      onLayer?.(++layers);
    }
    return curves.map((curve) => curve.result());
  } finally {
    for (const curve of curves) curve.dispose();
  }
}

/** Consecutive queries that share what they keep. */
interface Group extends TokenRange {
  readonly kept: KeptKeys;
}

/** One method at all fractions. */
class Curve {
  readonly memo: Memo = createMemo();
  /** One run per point; null below the method's floor. */
  readonly runs: (ProbeRun | null)[] = [];
  /** Per layer, per point. */
  readonly massRecall: (number | null)[][] = [];
  readonly keptShare: (number | null)[][] = [];
  private readonly floors: number[] = [];
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
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.readsAll = method.family === 'evict-reading';
    for (const [point, fraction] of this.fractions.entries()) {
      const fitted = method.withBudget(parameters, contextOf(text), fraction);
      if ('floor' in fitted) this.floors[point] = fitted.floor;
      this.runs.push(
        'floor' in fitted
          ? null
          : await startProbe(text, method, fitted.parameters, evictAt, { memo: this.memo, signal }),
      );
    }
  }

  /** What every point keeps in one layer, per point in consecutive groups of queries (none below the floor). */
  async select(
    text: RecordedText,
    recorded: RecordedLayer,
    queries: TokenRange,
    signal: AbortSignal | undefined,
  ): Promise<Group[][]> {
    const { ops } = text;
    const points: Group[][] = [];
    for (const started of this.runs) {
      const reads: Promise<Group>[] = [];
      for (const block of started?.blocks ?? []) {
        const measured = overlap(block, queries);
        if (!started || (!measured && (!this.readsAll || block.start >= queries.end))) continue;
        signal?.throwIfAborted();
        const input = layerInput(recorded, block);
        const selection = started.run.select(input);
        if (measured) reads.push(readKept(ops, selection).then((kept) => ({ ...measured, kept })));
        ops.release(...selection.owned);
        await ops.pace();
      }
      points.push(await Promise.all(reads));
    }
    return points;
  }

  result(): SweepCurve {
    const points = this.fractions.map((keep, point): SweepPoint => {
      if (!this.runs[point])
        return { keep, kept: null, massRecall: null, layers: null, floor: this.floors[point] };
      const layers = this.massRecall.map((points) => points[point] ?? 0);
      const kept = this.keptShare.map((points) => points[point] ?? 0);
      return { keep, kept: mean(kept), massRecall: mean(layers), layers };
    });
    return { method: this.spec, current: this.isCurrent, points };
  }

  dispose(): void {
    for (const started of this.runs) started?.run.dispose();
    this.memo.clear();
  }
}

/** Adds one layer's numbers to the curves. */
async function measure(
  text: RecordedText,
  recorded: RecordedLayer,
  curves: readonly Curve[],
  groups: readonly Group[][][],
  queries: TokenRange,
  signal: AbortSignal | undefined,
): Promise<void> {
  const mass = curves.map(({ runs }) => runs.map(() => 0));
  const share = curves.map(({ runs }) => runs.map(() => 0));
  for (const segment of segmentsOf(groups.flat(2), queries)) {
    signal?.throwIfAborted();
    const keptBy = groups.map((points) =>
      points.map(
        (list) => list.find(({ start, end }) => start <= segment.start && segment.end <= end)?.kept ?? null,
      ),
    );
    const sets = Math.max(1, ...keptBy.flat().map((kept) => kept?.sets.length ?? 1));
    const classes = keptBy.map((points) => classify(points, sets, segment.end));
    const sums = await massOfPoints(text, recorded, segment, classes, sets);
    for (const [curve, points] of keptBy.entries()) {
      for (const [point, kept] of points.entries()) {
        mass[curve][point] += sums[curve][point] ?? 0;
        if (kept) share[curve][point] += keptShare(kept, segment);
      }
    }
    await text.ops.pace();
  }
  const count = queries.end - queries.start;
  for (const [i, curve] of curves.entries()) {
    curve.massRecall.push(mass[i].map((sum) => Math.min(1, sum / (count * text.queryHeads))));
    curve.keptShare.push(share[i].map((sum) => sum / count));
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
