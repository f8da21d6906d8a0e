/**
 * The sweep: mass recall against kept fraction, for several methods and fractions from one recomputation of the attention
 * weights per layer. Every key gets, per method, a group: the set of points at which the method keeps it.
 */

import { ignoreRejection } from '../base/ignore-rejection';
import { type LayerTrace, layersOfMethods, type Trace } from '../trace/trace';
import { Memo } from './memo';
import type { SweepCurve } from './results';
import { Curve, type Group, type PointKeys, type SweptMethod } from './sweep-curve';
import { groupKeys, type KeyGroups } from './sweep-groups';
import { massOfPoints, massOfRows } from './sweep-mass';
import { type SweptAnswer, sweptAnswer, sweptWeight } from './swept-queries';
import type { TokenRange } from './trace-run';

/** Twelve fractions of the text from 1/64 to 1, evenly spaced in their logarithm. */
export const SWEEP_FRACTIONS: readonly number[] = Array.from({ length: 12 }, (_, i) => 64 ** (i / 11 - 1));

/** Points share a bit mask. */
const MOST_POINTS = 31;

export interface SweepRequest {
  readonly text: Trace;
  readonly methods: readonly SweptMethod[];
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
    for (const method of request.methods) {
      const curve = new Curve(method, request.fractions);
      curves.push(curve);
      await curve.start(text, queries, { memo, signal });
    }
    let done = 0;
    for (const layers of batches(text, curves, queries)) {
      const asked: Promise<Group[][]>[][] = [];
      for (const layerTrace of layers) {
        const ofLayer: Promise<Group[][]>[] = [];
        for (const curve of curves) ofLayer.push((await curve.ask(text, layerTrace, queries, signal)).groups);
        asked.push(ofLayer);
      }
      const measured: Promise<LayerNumbers>[] = [];
      for (const [i, layerTrace] of layers.entries()) {
        const groups = await Promise.all(asked[i]!);
        measured.push(ignoreRejection(measure(text, layerTrace, curves, groups, queries, signal)));
        await text.ops.pace();
        signal?.throwIfAborted();
      }
      for (const numbers of measured) {
        addLayer(curves, await numbers);
        onLayer?.(++done);
      }
      for (const curve of curves) curve.renew();
    }
    await Promise.all(curves.map((curve) => curve.checkScores()));
    return curves.map((curve) => curve.result());
  } finally {
    for (const curve of curves) curve.dispose();
    if (!request.memo) memo.close();
  }
}

/** Most tokens that are listed at once: blocks × points × tokens of the text. */
const MOST_LISTED = 2 ** 23;

/** Layers that are measured together, see `probe`: on a GPU it is waiting that costs. */
function batches(text: Trace, curves: readonly Curve[], queries: TokenRange): LayerTrace[][] {
  const { ops, tokens } = text;
  const layerTraces = layersOfMethods(text.layerTraces);
  const lists = curves.reduce((sum, curve) => sum + curve.listsWithin(queries), 0);
  const together = ops.backend === 'cpu' || ops.isSoftware ? 1 : Math.floor(MOST_LISTED / (lists * tokens));
  const size = Math.max(1, together);
  return Array.from({ length: Math.ceil(layerTraces.length / size) }, (_, i) =>
    layerTraces.slice(i * size, (i + 1) * size),
  );
}

/** Means over the queries of one layer: [curve][point]. */
interface LayerNumbers {
  readonly massRecall: number[][];
  readonly keptShare: number[][];
}

/** Encodes the measurement of one layer; resolves with its numbers. `groups`: [curve][point]. */
async function measure(
  text: Trace,
  layerTrace: LayerTrace,
  curves: readonly Curve[],
  groups: readonly Group[][][],
  queries: TokenRange,
  signal: AbortSignal | undefined,
): Promise<LayerNumbers> {
  const mass = groups.map((points) => points.map(() => 0));
  const share = groups.map((points) => points.map(() => 0));
  const segments = segmentsOf(groups, queries, sweptAnswer(queries, text.answerStart));
  const sets = Math.max(
    1,
    ...segments.flatMap(({ keptBy }) => keptBy.flat().map((kept) => kept?.sets.length ?? 1)),
  );
  const keyGroups = keyGroupsOf(segments, sets);
  const measured: Promise<(number[][] | null)[]>[] = [];
  for (const { from, to } of together(segments)) {
    signal?.throwIfAborted();
    const [part, ofPart] = [segments.slice(from, to), keyGroups.slice(from, to)];
    measured.push(
      ignoreRejection(
        part.length === 1 && ofPart[0]
          ? massOfPoints(text, layerTrace, part[0]!, ofPart[0], sets).then((sums) => [sums])
          : massOfRows(text, layerTrace, part[0]!.start, ofPart, sets),
      ),
    );
    await text.ops.pace();
  }
  for (const [i, sums] of (await Promise.all(measured)).flat().entries()) {
    const segment = segments[i]!;
    if (segment.weight === 0) {
      for (const [at, curve] of curves.entries()) {
        const shares = curve.sharesAt(text, layerTrace.layer, segment.start, queries.start);
        for (const [point, value] of shares.entries()) share[at]![point]! += value;
      }
      continue;
    }
    for (const [curve, points] of segment.keptBy.entries()) {
      for (const [point, kept] of points.entries()) {
        mass[curve]![point]! += segment.weight * (sums?.[curve]?.[point] ?? 0);
        if (kept) share[curve]![point]! += keptShare(kept, segment);
      }
    }
  }
  for (const [curve, sums] of mass.entries()) curves[curve]!.check(layerTrace.layer, sums);
  const count = queries.end - queries.start;
  return {
    massRecall: mass.map((points, at) =>
      points.map((sum) => curves[at]!.ofCounted(text, queries, Math.min(1, sum / (count * text.queryHeads)))),
    ),
    keptShare: share.map((points, at) =>
      points.map((sum) => curves[at]!.ofCounted(text, queries, sum / count)),
    ),
  };
}

function addLayer(curves: readonly Curve[], { massRecall, keptShare }: LayerNumbers): void {
  for (const [i, curve] of curves.entries()) {
    curve.massRecall.push(massRecall[i]!);
    curve.keptShare.push(keptShare[i]!);
  }
}

/** Consecutive queries, and what every point of every curve keeps for them: [curve][point]. */
interface Segment extends TokenRange {
  /** Of how many queries each of these stands for; 0: it is not measured. */
  readonly weight: number;
  readonly keptBy: readonly (readonly (PointKeys | null)[])[];
}

/** Stretches of `queries` in which no group begins or ends; of an answer that is measured in part, its tokens one by one. */
function segmentsOf(groups: readonly Group[][][], queries: TokenRange, swept: SweptAnswer | null): Segment[] {
  const all = groups.flat(2).flatMap(({ start, end }) => [start, end]);
  const single = Array.from({ length: swept ? swept.end - swept.start : 0 }, (_, i) => swept!.start + i);
  const places = [...new Set([queries.start, queries.end, ...all, ...single])].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => {
    const start = places[i]!;
    const keptBy = groups.map((points) =>
      points.map((list) => list.find((group) => group.start <= start && end <= group.end)?.kept ?? null),
    );
    return { start, end, keptBy, weight: sweptWeight(swept, start) };
  });
}

/** Groups of keys by segment and curve, null for segments that are not measured; segments for which a curve keeps the same share them. */
function keyGroupsOf(all: readonly Segment[], sets: number): (KeyGroups[] | null)[] {
  const keyGroupsOfAll = all.map(({ weight }): KeyGroups[] | null => (weight > 0 ? [] : null));
  const segments = all.filter(({ weight }) => weight > 0);
  const keyGroups = keyGroupsOfAll.filter((ofSegment) => ofSegment !== null);
  const curves = segments[0]?.keptBy.length ?? 0;
  for (let curve = 0; curve < curves; curve++) {
    for (let from = 0, to: number; from < segments.length; from = to) {
      const points = segments[from]!.keptBy[curve]!;
      const isSame = (at: number): boolean =>
        at < segments.length && segments[at]!.keptBy[curve]!.every((kept, point) => kept === points[point]);
      for (to = from + 1; isSame(to); ) to++;
      const shared = groupKeys(points, sets, segments[to - 1]!.end);
      for (let i = from; i < to; i++) keyGroups[i]!.push(shared);
    }
  }
  return keyGroupsOfAll;
}

/** Segments of one query that follow one another are measured together. */
function together(segments: readonly Segment[]): { from: number; to: number }[] {
  const isSingle = (at: number): boolean =>
    segments[at] !== undefined && segments[at].end - segments[at].start === 1;
  const parts: { from: number; to: number }[] = [];
  for (let from = 0, to: number; from < segments.length; from = to) {
    to = from + 1;
    if (isSingle(from)) while (isSingle(to)) to++;
    parts.push({ from, to });
  }
  return parts;
}

/** Σ over the segment's queries of kept ÷ visible keys. */
function keptShare(kept: PointKeys, segment: TokenRange): number {
  const listed = kept.sets.reduce((sum, set) => sum + set.length, 0) / kept.sets.length;
  let sum = 0;
  for (let position = segment.start; position < segment.end; position++) {
    sum += (listed + position + 1 - kept.rangeStart) / (position + 1);
  }
  return sum;
}
