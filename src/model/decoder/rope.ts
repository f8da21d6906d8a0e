/**
 * Rotary positions of a model, with its context extension if it has one. In transformers' terms: `rope_type` and its
 * parameters, checked. Half-split convention: of the r rotated channels j and j + r/2 turn together by position · frequency j.
 */
export type Rope = {
  /** r, the first channels of a head, which are rotated; the others are not. Absent: all of them. */
  rotatedChannels?: number;
} & (
  | { kind: 'default'; theta: number }
  | { kind: 'linear'; theta: number; factor: number }
  | {
      /** The base grows with the text once that is longer than the trained length. */
      kind: 'dynamic';
      theta: number;
      factor: number;
      trainedTokens: number;
    }
  | {
      kind: 'llama3';
      theta: number;
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      /** Tokens that the model was trained on before its context was extended. */
      originalTokens: number;
    }
  | {
      kind: 'yarn';
      theta: number;
      factor: number;
      originalTokens: number;
      betaFast: number;
      betaSlow: number;
      /** Whether the ramp's bounds are rounded to whole channels. */
      truncate: boolean;
      /** Multiplies cos and sin. */
      attentionFactor: number;
    }
  | {
      kind: 'longrope';
      theta: number;
      originalTokens: number;
      /** What each frequency is divided by in texts of up to `originalTokens`, and in longer ones. */
      shortFactors: readonly number[];
      longFactors: readonly number[];
      /** Multiplies cos and sin, in texts of any length. */
      attentionFactor: number;
    }
);

/**
 * The r/2 inverse frequencies in radians per token, in double precision, as transformers has them in one forward pass over a text
 * of `tokens`, on which those of `dynamic` and `longrope` depend: all tokens of a text are then turned alike.
 * Formulas: transformers 5.23, modeling_rope_utils.py (_compute_*_parameters).
 */
export function rotaryFrequencies(rope: Rope, headDimension: number, tokens: number): Float64Array {
  const channels = rope.rotatedChannels ?? headDimension;
  const theta = rope.kind === 'dynamic' ? dynamicTheta(rope, channels, tokens) : rope.theta;
  const frequencies = Float64Array.from({ length: channels / 2 }, (_, j) => theta ** ((-2 * j) / channels));
  switch (rope.kind) {
    case 'default':
    case 'dynamic':
      return frequencies;
    case 'linear':
      return frequencies.map((frequency) => frequency / rope.factor);
    case 'llama3':
      return frequencies.map((frequency) => llama3Frequency(frequency, rope));
    case 'yarn': {
      const [low, high] = yarnRamp(rope, channels);
      return frequencies.map((frequency, j) => {
        const interpolated = Math.min(1, Math.max(0, (j - low) / (high - low)));
        return (frequency / rope.factor) * interpolated + frequency * (1 - interpolated);
      });
    }
    case 'longrope': {
      const factors = tokens > rope.originalTokens ? rope.longFactors : rope.shortFactors;
      return frequencies.map((frequency, j) => frequency / factors[j]!);
    }
  }
}

/** What cos and sin are multiplied with: 1 everywhere but for YaRN and LongRoPE. */
export function rotaryScale(rope: Rope): number {
  return rope.kind === 'yarn' || rope.kind === 'longrope' ? rope.attentionFactor : 1;
}

/** The base of a text longer than the trained length, so that the slowest wave is slowed in proportion. */
function dynamicTheta(
  { theta, factor, trainedTokens }: Extract<Rope, { kind: 'dynamic' }>,
  channels: number,
  tokens: number,
): number {
  const length = Math.max(tokens, trainedTokens);
  const stretch = (factor * length) / trainedTokens - (factor - 1);
  return theta * stretch ** (channels / Math.max(1, channels - 2));
}

/** Long waves are slowed by the factor, short ones kept, those between mixed. */
function llama3Frequency(frequency: number, rope: Extract<Rope, { kind: 'llama3' }>): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = rope;
  const turns = (rope.originalTokens * frequency) / (2 * Math.PI);
  if (turns > high) return frequency;
  if (turns < low) return frequency / factor;
  const kept = (turns - low) / (high - low);
  return ((1 - kept) * frequency) / factor + kept * frequency;
}

/** The channels between which YaRN passes from keeping a frequency to dividing it (https://arxiv.org/abs/2309.00071). */
function yarnRamp(rope: Extract<Rope, { kind: 'yarn' }>, channels: number): [number, number] {
  const channelAfter = (turns: number) =>
    (channels * Math.log(rope.originalTokens / (turns * 2 * Math.PI))) / (2 * Math.log(rope.theta));
  let low = channelAfter(rope.betaFast);
  let high = channelAfter(rope.betaSlow);
  if (rope.truncate) {
    low = Math.floor(low);
    high = Math.ceil(high);
  }
  low = Math.max(low, 0);
  high = Math.min(high, channels - 1);
  return [low, low === high ? high + 0.001 : high];
}

/**
 * Undoes the rotation: out = R_p⁻¹ x / scale, for x of shape [heads, tokens, d] whose token t stands at position
 * `positionOffset + t`; channels that are not rotated stay. The angles are computed in double precision.
 */
export function inverseRotate(
  x: Float32Array,
  tokens: number,
  rope: Rope,
  headDimension: number,
  positionOffset: number,
): Float32Array {
  const frequencies = rotaryFrequencies(rope, headDimension, positionOffset + tokens);
  const scale = rotaryScale(rope);
  const half = frequencies.length;
  const heads = x.length / (tokens * headDimension);
  const out = x.slice();
  for (let token = 0; token < tokens; token++) {
    for (let j = 0; j < half; j++) {
      const angle = (positionOffset + token) * frequencies[j]!;
      const cosine = Math.cos(angle) / scale;
      const sine = Math.sin(angle) / scale;
      for (let head = 0; head < heads; head++) {
        const first = (head * tokens + token) * headDimension + j;
        const a = x[first];
        const b = x[first + half];
        out[first] = a! * cosine + b! * sine;
        out[first + half] = b! * cosine - a! * sine;
      }
    }
  }
  return out;
}
