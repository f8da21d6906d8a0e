/** Values of evicted tokens, folded into those of the survivors whose keys are most like theirs (kvpress merging_press.py, merge). */

/** Added to a sum of lengths, as in kvpress. */
const EPSILON = 1e-6;

/** One head before its eviction. */
export interface BeforeFolding {
  /** Survivors, ascending. */
  readonly kept: Uint32Array;
  /** Of every token the place among the survivors of the one whose key is most like its own, and their cosine. */
  readonly nearest: Uint32Array;
  readonly cosines: Float32Array;
  /** [tokens, d]. */
  readonly values: Float32Array;
}

/** Which evicted tokens are folded in: cosines from `similarity` on, and of all evicted the best `mergeFraction`. */
export interface FoldingRule {
  readonly similarity: number;
  readonly mergeFraction: number;
}

/** Values of the survivors, [kept, d]. */
export function folded(
  { kept, nearest, cosines, values }: BeforeFolding,
  { similarity, mergeFraction }: FoldingRule,
): Float32Array {
  const d = values.length / nearest.length;
  const stays = new Set(kept);
  const evicted = [...nearest.keys()].filter((token) => !stays.has(token));
  const least =
    mergeFraction < 1
      ? quantile(
          evicted.map((token) =>
            cosines[token]! >= similarity ? cosines[token]! : Number.POSITIVE_INFINITY,
          ),
          1 - mergeFraction,
        )
      : similarity;
  const lengthOf = (token: number): number => {
    let sum = 0;
    for (let c = token * d; c < (token + 1) * d; c++) sum += values[c]! ** 2;
    return Math.sqrt(sum);
  };
  const sums = Float64Array.from({ length: kept.length * d }, (_, at) => {
    const place = Math.floor(at / d);
    return values[kept[place]! * d + at - place * d]!;
  });
  const weights = new Float64Array(kept.length).fill(1);
  const lengths = Array.from(kept, lengthOf);
  for (const token of evicted) {
    const cosine = cosines[token]!;
    if (!(cosine >= similarity && cosine >= least && cosine > 0)) continue;
    const place = nearest[token]!;
    const length = lengthOf(token);
    const weight = (cosine * length) / (length + lengths[place]! + EPSILON);
    weights[place]! += weight;
    for (let c = 0; c < d; c++) sums[place * d + c]! += weight * values[token * d + c]!;
  }
  return Float32Array.from(sums, (sum, at) => sum / weights[Math.floor(at / d)]!);
}

/** As torch.quantile: between two entries along a straight line. */
function quantile(entries: readonly number[], part: number): number {
  const sorted = entries.toSorted((a, b) => a - b);
  const at = part * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.POSITIVE_INFINITY;
  const above = sorted[Math.ceil(at)] ?? Number.POSITIVE_INFINITY;
  return above === below ? below : below + (above - below) * (at - Math.floor(at));
}
