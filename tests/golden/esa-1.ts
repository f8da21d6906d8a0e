/**
 * Fixture ESA-1: `LCG(81)`, drawn in this order: q [4, 3, 4], K and V [2, 18, 4], then the compression matrices W_θ and
 * W_φ [2, 16]. All un-rotated; rotary base 10000, half-split. Numbers computed in float64 from the formulas of
 * arXiv 2502.14477.
 */
import { draw, lcg } from './lcg';

const next = lcg(81);

export const esa1 = {
  heads: 4,
  keyHeads: 2,
  channels: 4,
  queryRows: 3,
  tokens: 18,
  initialTokens: 2,
  middleTokens: 10,
  localTokens: 3,
  selectedTokens: 4,
  radius: 1,
  /** Position of every query towards initial and middle keys. */
  fixedPosition: 3,
  rotaryBase: 10000,
  query: draw(next, 4 * 3 * 4),
  key: draw(next, 2 * 18 * 4),
  value: draw(next, 2 * 18 * 4),
  reduceQuery: draw(next, 2 * 16),
  reduceKey: draw(next, 2 * 16),

  /** Scores of the middle keys, queries rotated by `fixedPosition`: f_s [3, 10] (Eq. 3). */
  logits: [
    [0.642696, -0.08035, 0.482988, 0.721246, -0.217764, -0.080906, 1.449149, 2.148396, -0.803631, -2.213832],
    [4.857915, -0.142148, 1.685097, 1.523532, -1.926282, 0.372199, -0.027047, -0.312984, 1.486964, -1.950804],
    [
      -0.704414, 1.505152, -0.696854, -0.653132, -2.185719, -0.269514, -0.636188, -0.319038, 1.109662,
      1.793514,
    ],
  ],
  /** F_s (Eq. 4). */
  peaks: [0, -0.288363, -1.665408, -1.42715, -2.36616, -2.063028, -0.699246, 0, -0.683852, 0],
  /** s′ (Eq. 8) with radius 1. */
  dilated: [0, 0, -0.288363, -1.42715, -1.42715, -0.699246, 0, 0, 0, 0],
  /** Selection by s′, then s, then index; without dilation the same four. */
  selected: [0, 1, 7, 9],
  /** Selection by s′, then index alone: what the attention numbers below were computed with. */
  selectedByIndex: [0, 1, 6, 7],
  unrotated: {
    peaks: [-0.988088, 0, -1.165847, -1.055006, -2.492681, -0.226992, 0, 0, -1.592758, -1.256443],
    selectedWithoutDilation: [1, 5, 6, 7],
    selectedByIndex: [0, 1, 2, 5],
  },
  /** ln Σ exp of the pass over initial and selected keys, and of the pass over local and current keys: [4, 3]. */
  globalLogSumExp: [
    1.907254, 1.920541, 1.764412, 1.790553, 1.894288, 1.847411, 2.274456, 1.96556, 1.70852, 1.748549,
    2.340293, 1.953231,
  ],
  localLogSumExp: [
    1.435766, 1.481328, 1.8158, 1.482466, 1.696058, 1.746877, 1.447573, 1.70378, 1.738803, 1.386712, 1.788541,
    1.884152,
  ],
  /** Merged output of heads 0 and 3: [3, 4] each. */
  output: {
    0: [
      0.091923, -0.132544, 0.154429, -0.201774, 0.098338, -0.098721, 0.180641, -0.189626, -0.035212,
      -0.190831, 0.180059, -0.097465,
    ],
    3: [
      0.332853, 0.19407, -0.037264, -0.150912, 0.292421, 0.2794, -0.157493, -0.229813, 0.374618, 0.319384,
      -0.30349, -0.236644,
    ],
  },
  /** f_s through the compression matrices: [3, 10]. */
  compressedLogits: [
    [1.031351, -0.535731, 0.652068, 1.247662, 0.553117, 1.444732, 0.118032, 0.366986, -0.852984, -1.243666],
    [0.01039, 0.006856, -0.007937, 0.055733, 0.057712, 0.069346, 0.008983, 0.05899, -0.046083, -0.021793],
    [-0.922801, 0.852326, -1.025029, 0.197649, 1.092321, 0.375271, 0.131647, 1.35483, -0.378046, 0.830725],
  ],
} as const;

/**
 * Fixture ESA-2, the seam between local and global keys: the tensors of ESA-1, tokens 0 … a+2, everything kept (no
 * middle token is left out). Merged output of heads 0 and 3 for `precedingTokens` a, [3, 4] each.
 */
export const esa2 = [
  {
    precedingTokens: 0,
    output: {
      0: [
        0.541673, -0.727264, 0.161498, -0.3889, 0.292938, 0.05139, 0.05664, -0.401525, 0.209594, 0.268054,
        0.157964, -0.296435,
      ],
      3: [
        -0.408645, -0.069401, -0.73469, 0.773005, 0.00689, 0.047986, -0.673177, 0.506224, 0.257809, 0.377727,
        -0.589939, -0.217649,
      ],
    },
  },
  {
    precedingTokens: 2,
    output: {
      0: [
        0.155889, 0.450827, 0.090133, -0.335365, 0.078112, 0.377214, 0.285732, -0.176887, -0.196708, 0.179132,
        0.317142, -0.174379,
      ],
      3: [
        0.036471, 0.186063, -0.645699, 0.205209, 0.227996, 0.08958, -0.298404, -0.06245, 0.064156, 0.075058,
        -0.242639, 0.075762,
      ],
    },
  },
  {
    precedingTokens: 4,
    output: {
      0: [
        -0.119742, 0.247664, 0.214385, -0.253705, -0.152295, 0.211728, 0.232721, -0.144819, -0.2886, 0.107944,
        0.259214, -0.115853,
      ],
      3: [
        0.035345, -0.099515, -0.021084, 0.169065, 0.100379, 0.196993, -0.267963, 0.003046, -0.014678, 0.05624,
        -0.197624, 0.178298,
      ],
    },
  },
] as const;
