/**
 * Fixture LAG-1: `LCG(7)`, K then V, each [2, 19, 4]; one sink, partitions of 4, half retained. Official LagKV class and
 * kvpress, run in float32.
 */
import { draw, lcg } from './lcg';

const next = lcg(7);

export const lag1 = {
  keyHeads: 2,
  tokens: 19,
  channels: 4,
  sinkTokens: 1,
  lagTokens: 4,
  retainFraction: 0.5,
  key: draw(next, 2 * 19 * 4),
  value: draw(next, 2 * 19 * 4),

  /** score_K + score_V of tokens 1 … 12. */
  scores: [
    [
      0.540904, 0.580146, 0.3848, 0.49415, 0.443407, 0.597701, 0.48942, 0.469471, 0.449327, 0.590005,
      0.561134, 0.399534,
    ],
    [
      0.499098, 0.449819, 0.613752, 0.437331, 0.483445, 0.468238, 0.422441, 0.625876, 0.471271, 0.43407,
      0.5593, 0.535359,
    ],
  ],
  /** Tokens kept of head 0 and 1, ascending. */
  kept: [
    [0, 1, 2, 6, 7, 10, 11, 13, 14, 15, 16, 17, 18],
    [0, 1, 3, 5, 8, 11, 12, 13, 14, 15, 16, 17, 18],
  ],
  /** Stored length after each of 30 tokens fed one at a time. */
  storedLengths: [
    1, 2, 3, 4, 5, 6, 7, 8, 7, 8, 9, 10, 9, 10, 11, 12, 11, 12, 13, 14, 13, 14, 15, 16, 15, 16, 17, 18, 17,
    18,
  ],
  /** kvpress, head 0, all 19 tokens: ranks inside partitions, and raw scores (cross_scoring). */
  kvpressRanks: [1, 0.5, 0.75, 0, 0.25, 0, 0.75, 0.5, 0.25, 0.25, 0.75, 0.5, 0, 1, 1, 1, 1, 1, 1],
  kvpressCrossScores: [
    1, 0.270452, 0.290073, 0.1924, 0.247075, 0.221704, 0.298851, 0.24471, 0.234736, 0.224663, 0.295003,
    0.280567, 0.199767, 1, 1, 1, 1, 1, 1,
  ],
} as const;
