// Weights that are 16-bit floats, four to a pair of words. Their exponents and mantissas are put where 32-bit floats have them: no
// device feature is needed, and subnormal ones are kept, which unpack2x16float need not do.

alias Stored = vec2u;

fn numbers(stored: Stored) -> vec4f {
  let bits = vec4u(stored.x & 0xffffu, stored.x >> 16u, stored.y & 0xffffu, stored.y >> 16u);
  let magnitude = (bits & vec4u(0x7fffu)) << vec4u(13u);
  let normal = bitcast<vec4f>(magnitude + vec4u(0x38000000u));
  // A subnormal mantissa behind a one, which is taken off again: the difference is exact.
  let subnormal = bitcast<vec4f>(magnitude + vec4u(0x38800000u)) - vec4f(bitcast<f32>(0x38800000u));
  let number = select(normal, subnormal, magnitude < vec4u(0x00800000u));
  return bitcast<vec4f>(bitcast<vec4u>(number) | ((bits & vec4u(0x8000u)) << vec4u(16u)));
}
