/** Divisors of rotary frequencies, which files have as tensors. */

/** A `rope_scaling` of config.json. */
export type RopeScaling = Readonly<Record<string, string | number | readonly number[]>>;

/** Of all Llama 3 models: only `factor` differs, 8 in 3.1, 32 in 3.2. */
const LOW = 1;
const HIGH = 4;
const ORIGINAL_TOKENS = 8192;
/** The converter computes in 32 bits. */
const TOLERANCE = 1e-4;

/**
 * The settings that these divisors, the same for texts of every length, were made of; undefined where they change nothing.
 * `theta`: rope_theta. Formula: transformers, modeling_rope_utils.py, _compute_llama3_parameters. Other divisors are LongRoPE's with one list.
 */
export function scalingOfFactors(factors: ArrayLike<number>, theta: number): RopeScaling | undefined {
  const given = Array.from(factors);
  const factor = Math.max(...given);
  if (given.every((each) => each === 1)) return undefined;
  const isLlama3 = given.every((each, index) => {
    const wavelength = 2 * Math.PI * theta ** (index / given.length);
    const smooth = (ORIGINAL_TOKENS / wavelength - LOW) / (HIGH - LOW);
    const between = Math.min(1, Math.max(0, smooth));
    const expected = 1 / ((1 - between) / factor + between);
    return Math.abs(each - expected) <= TOLERANCE * expected;
  });
  if (!isLlama3)
    return { rope_type: 'longrope', short_factor: given, long_factor: given, attention_factor: 1 };
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: LOW,
    high_freq_factor: HIGH,
    original_max_position_embeddings: ORIGINAL_TOKENS,
  };
}
