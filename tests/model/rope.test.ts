import { describe, expect, test } from 'vitest';
import { parseRope, ropeParameters } from '../../src/model/architectures/rope-config';
import { inverseRotate, type Rope, rotaryFrequencies, rotaryScale } from '../../src/model/decoder/rope';

const parse = (settings: object, trainedTokens = 2048) =>
  parseRope(settings, { trainedTokens }, 'rope_parameters');

// Expected values: the functions of transformers 5.23's modeling_rope_utils.py, evaluated in float64, d = 16.
const cases: [string, Rope, number, number[]][] = [
  [
    'linear',
    parse({ rope_type: 'linear', rope_theta: 1e4, factor: 4 }),
    1,
    [
      0.25, 0.07905694150420949, 0.025, 0.007905694150420948, 0.0025, 0.000790569415042095, 0.00025,
      7.905694150420948e-5,
    ],
  ],
  [
    'llama3',
    parse({
      rope_type: 'llama3',
      rope_theta: 5e5,
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    }),
    1,
    [
      1, 0.19392274474868576, 0.03760603093086393, 0.0072926647372171085, 0.0005248461609929547,
      3.428102195952591e-5, 6.647869871181236e-6, 1.2891731721515574e-6,
    ],
  ],
  [
    'yarn',
    parse({ rope_type: 'yarn', rope_theta: 1e6, factor: 4, original_max_position_embeddings: 32768 }),
    1.138629436111989,
    [
      1, 0.1778279410038923, 0.03162277660168379, 0.004217559938927618, 0.0005, 4.445698525097307e-5,
      7.905694150420949e-6, 1.4058533129758728e-6,
    ],
  ],
  [
    'yarn with every option',
    parse(
      {
        rope_type: 'yarn',
        rope_theta: 1e4,
        original_max_position_embeddings: 1024,
        beta_fast: 16,
        beta_slow: 2,
        mscale: 1,
        mscale_all_dim: 0.5,
        truncate: false,
      },
      4096,
    ),
    1.0648216253695715,
    [
      1, 0.31622776601683794, 0.1, 0.018701802801771347, 0.0025, 0.000790569415042095, 0.00025,
      7.905694150420948e-5,
    ],
  ],
];

describe.each(cases)('%s', (_, rope, scale, expected) => {
  test('frequencies and scale are those of transformers', () => {
    const frequencies = rotaryFrequencies(rope, 16, 8192);
    for (const [j, frequency] of frequencies.entries()) {
      expect(Math.abs(frequency / expected[j]! - 1)).toBeLessThan(1e-12);
    }
    expect(frequencies.length).toBe(8);
    expect(Math.abs(rotaryScale(rope) - scale)).toBeLessThan(1e-12);
  });

  test('written as rope_parameters, the settings read back equal', () => {
    const text = JSON.stringify(ropeParameters(rope, 16));
    expect(parseRope(JSON.parse(text), {}, 'rope')).toEqual(rope);
  });

  test('the inverse rotation undoes the rotation', () => {
    const [heads, tokens, d, offset] = [2, 5, 16, 100];
    const x = Float32Array.from({ length: heads * tokens * d }, (_, i) => Math.sin(i * i));
    const rotated = new Float32Array(x.length);
    const frequencies = rotaryFrequencies(rope, d, offset + tokens);
    for (let row = 0; row < heads * tokens; row++) {
      for (let j = 0; j < d / 2; j++) {
        const angle = ((row % tokens) + offset) * frequencies[j]!;
        const [a, b] = [x[row * d + j], x[row * d + j + d / 2]];
        rotated[row * d + j] = scale * (a! * Math.cos(angle) - b! * Math.sin(angle));
        rotated[row * d + j + d / 2] = scale * (b! * Math.cos(angle) + a! * Math.sin(angle));
      }
    }
    const back = inverseRotate(rotated, tokens, rope, d, offset);
    for (const [i, value] of back.entries()) expect(Math.abs(value - x[i]!)).toBeLessThan(1e-6);
  });
});
