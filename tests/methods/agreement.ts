/**
 * When two implementations of a selection agree (docs/contracts.md, "Agreement"): scores within a tolerance, kept sets equal but for
 * keys inside the band around the cut, and enough left outside it.
 */
import { expect } from 'vitest';

/** Of the larger of a score and the score at the cut; of the layer's largest |score| where scores may be negative. */
export const tolerances = { cpu: 1e-5, webgpu: 1e-4 } as const;

/** Of the candidates, how many must lie outside the band. */
export const LEAST_OUTSIDE = 0.95;

export function largestMagnitude(rows: readonly ArrayLike<number>[]): number {
  let largest = 0;
  for (const row of rows)
    for (let i = 0; i < row.length; i++) if (Math.abs(row[i]!) > largest) largest = Math.abs(row[i]!);
  return largest;
}

/** Kept tokens and scores of one layer. */
export interface Chosen {
  /** Ascending tokens, one array per set. */
  readonly kept: readonly (readonly number[])[];
  /** By token, one array per set or one for all; NaN where there are none. Null: nothing was scored. */
  readonly scores: readonly Float32Array[] | null;
}

export interface AgreementRules {
  readonly tolerance: number;
  /** Tokens whose fate the scores decide, [start, end); the others must be equal. Absent: all. */
  readonly candidates?: { readonly start: number; readonly end: number };
  /** Scores compete only within so many tokens from `start`. */
  readonly segments?: { readonly start: number; readonly tokens: number };
  /** Exact ties are broken in the reference, too, by `secondary` and then by the lower token. */
  readonly breaksTies?: boolean;
  /** By token, one array per set or one for all. */
  readonly secondary?: readonly Float32Array[];
  /** Of the candidates, how many must lie outside the band; 95 % by default. */
  readonly leastOutside?: number;
}

export interface Agreement {
  /** Largest difference of two scores, as the tolerance counts it; null: the reference has none. */
  readonly scores: number | null;
  /** Candidates with a score, of all sets. */
  readonly candidates: number;
  /** Those inside the band. */
  readonly inside: number;
  /** Sets with keys inside the band, and how many. */
  readonly insideBySet: readonly { readonly set: number; readonly keys: number }[];
  /** What does not agree, one sentence each. */
  readonly faults: readonly string[];
}

/** Compares the sets of one layer; there may be fewer of one side, each then standing for several of the other. */
export function compareChosen(actual: Chosen, reference: Chosen, rules: AgreementRules): Agreement {
  const { tolerance, candidates = { start: 0, end: Number.POSITIVE_INFINITY }, leastOutside } = rules;
  const faults: string[] = [];
  const sets = Math.max(actual.kept.length, reference.kept.length);
  const of = <Row>(rows: readonly Row[], set: number): Row => rows[Math.floor((set * rows.length) / sets)]!;
  const deciding = reference.scores ?? actual.scores;
  const open = deciding?.map((row) =>
    row.map((score, token) => (isIn(candidates, token) ? score : Number.NaN)),
  );
  const scored = (open ?? []).map((row) => row.filter((score) => !Number.isNaN(score)));
  const isNonNegative = scored.every((row) => row.every((score) => score >= 0));
  const largest = largestMagnitude(scored);
  let [worst, all, inside] = [0, 0, 0];
  const insideBySet: { set: number; keys: number }[] = [];
  for (let set = 0; set < sets; set++) {
    const [mine, wanted] = [new Set(of(actual.kept, set)), new Set(of(reference.kept, set))];
    const say = (what: string): void => void faults.push(`set ${set}: ${what}`);
    if (mine.size !== wanted.size) say(`${mine.size} tokens are kept, not ${wanted.size}`);
    const score = open ? of(open, set) : new Float32Array(0);
    const band = bandOf(score, wanted, rules, set, sets, isNonNegative ? null : largest);
    for (const token of new Set([...mine, ...wanted]))
      if (mine.has(token) !== wanted.has(token) && !band.inside.has(token))
        say(`token ${token} is ${mine.has(token) ? 'kept' : 'dropped'}, outside the band`);
    const tokens = score.reduce((count, value) => count + (Number.isNaN(value) ? 0 : 1), 0);
    all += tokens;
    inside += band.inside.size;
    if (band.inside.size > 0) insideBySet.push({ set, keys: band.inside.size });
    if (!reference.scores || !actual.scores) continue;
    const own = of(actual.scores, set);
    for (const [token, value] of score.entries()) {
      const isScored = !Number.isNaN(own[token]!);
      if (isIn(candidates, token) && isScored === Number.isNaN(value))
        say(`token ${token} is ${isScored ? '' : 'not '}scored`);
      if (Number.isNaN(value) || !isScored) continue;
      const scale = isNonNegative ? Math.max(value, band.cutOf(token)) : largest;
      if (own[token] !== value) worst = Math.max(worst, Math.abs(own[token]! - value) / scale);
    }
  }
  if (reference.scores && !actual.scores && scored.some((row) => row.length > 0))
    faults.push('the reference has scores, and there are none');
  if (!(worst <= tolerance)) faults.push(`scores differ by ${worst}, more than ${tolerance}`);
  if (all - inside < (leastOutside ?? LEAST_OUTSIDE) * all)
    faults.push(`${inside} of ${all} candidates lie inside the band, and prove nothing`);
  return { scores: reference.scores ? worst : null, candidates: all, inside, insideBySet, faults };
}

/**
 * Keys inside the band: with one on the other side of the cut their scores are closer than twice the tolerance, so that two
 * implementations may choose differently.
 */
function bandOf(
  score: Float32Array,
  wanted: ReadonlySet<number>,
  { tolerance, segments, breaksTies, secondary }: AgreementRules,
  set: number,
  sets: number,
  largest: number | null,
): { inside: ReadonlySet<number>; cutOf: (token: number) => number } {
  const second = secondary?.[Math.floor((set * secondary.length) / sets)];
  const segmentOf = (token: number): number =>
    segments ? Math.floor((token - segments.start) / segments.tokens) : 0;
  const bySegment = new Map<number, { kept: number[]; dropped: number[] }>();
  for (const [token, value] of score.entries()) {
    if (Number.isNaN(value)) continue;
    const segment = bySegment.get(segmentOf(token)) ?? { kept: [], dropped: [] };
    bySegment.set(segmentOf(token), segment);
    (wanted.has(token) ? segment.kept : segment.dropped).push(token);
  }
  const inside = new Set<number>();
  const cuts = new Map<number, number>();
  for (const [segment, { kept, dropped }] of bySegment) {
    const cut = Math.min(...kept.map((token) => score[token]!));
    if (kept.length === 0 || dropped.length === 0) continue;
    cuts.set(segment, cut);
    const width = 2 * tolerance * (largest ?? cut);
    const widest = second ? 2 * tolerance * largestMagnitude([second.filter((value) => value > -1e38)]) : 0;
    for (const k of kept) {
      for (const d of dropped) {
        if (score[k]! - score[d]! > width) continue;
        if (breaksTies && score[k] === score[d]) {
          const ahead = second ? second[k]! - second[d]! : 0;
          if (ahead > widest || (ahead === 0 && k < d)) continue;
        }
        inside.add(k).add(d);
      }
    }
  }
  const highest = largestMagnitude([score.filter((value) => !Number.isNaN(value))]);
  return { inside, cutOf: (token) => cuts.get(segmentOf(token)) ?? highest };
}

const isIn = ({ start, end }: { readonly start: number; readonly end: number }, token: number): boolean =>
  token >= start && token < end;

/** The same numbers to `digits` decimals. */
export function expectClose(actual: ArrayLike<number>, wanted: ArrayLike<number>, digits = 5): void {
  expect(actual.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(actual[i]).toBeCloseTo(wanted[i]!, digits);
}
