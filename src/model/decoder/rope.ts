/**
 * Rotary positions of a model, with its context extension if it has one. In transformers' terms: `rope_type` and its
 * parameters, checked. Half-split convention: channels j and j + d/2 turn together by position · frequency j.
 */
export type Rope =
  | { kind: 'default'; theta: number }
  | { kind: 'linear'; theta: number; factor: number }
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
    };

/**
 * The d/2 inverse frequencies in radians per token, in double precision.
 * Formulas: transformers 5.23, modeling_rope_utils.py (_compute_{default,linear_scaling,llama3,yarn}_parameters).
 */
export function rotaryFrequencies(rope: Rope, headDimension: number): Float64Array {
  const frequencies = Float64Array.from(
    { length: headDimension / 2 },
    (_, j) => rope.theta ** ((-2 * j) / headDimension),
  );
  switch (rope.kind) {
    case 'default':
      return frequencies;
    case 'linear':
      return frequencies.map((frequency) => frequency / rope.factor);
    case 'llama3':
      return frequencies.map((frequency) => llama3Frequency(frequency, rope));
    case 'yarn': {
      const [low, high] = yarnRamp(rope, headDimension);
      return frequencies.map((frequency, j) => {
        const interpolated = Math.min(1, Math.max(0, (j - low) / (high - low)));
        return (frequency / rope.factor) * interpolated + frequency * (1 - interpolated);
      });
    }
  }
}

/** What cos and sin are multiplied with: 1 everywhere but for YaRN. */
export function rotaryScale(rope: Rope): number {
  return rope.kind === 'yarn' ? rope.attentionFactor : 1;
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
function yarnRamp(rope: Extract<Rope, { kind: 'yarn' }>, headDimension: number): [number, number] {
  const channelAfter = (turns: number) =>
    (headDimension * Math.log(rope.originalTokens / (turns * 2 * Math.PI))) / (2 * Math.log(rope.theta));
  let low = channelAfter(rope.betaFast);
  let high = channelAfter(rope.betaSlow);
  if (rope.truncate) {
    low = Math.floor(low);
    high = Math.ceil(high);
  }
  low = Math.max(low, 0);
  high = Math.min(high, headDimension - 1);
  return [low, low === high ? high + 0.001 : high];
}

/**
 * Undoes the rotation: out = R_p⁻¹ x / scale, for x of shape [heads, tokens, d] whose token t stands at position
 * `positionOffset + t`. The angles are computed in double precision.
 */
export function inverseRotate(
  x: Float32Array,
  tokens: number,
  rope: Rope,
  headDimension: number,
  positionOffset: number,
): Float32Array {
  const frequencies = rotaryFrequencies(rope, headDimension);
  const scale = rotaryScale(rope);
  const half = headDimension / 2;
  const heads = x.length / (tokens * headDimension);
  const out = new Float32Array(x.length);
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
