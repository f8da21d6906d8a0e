// Weights that are BF16, the upper halves of 32-bit floats, four to a pair of words.

alias Stored = vec2u;

fn numbers(stored: Stored) -> vec4f {
  return bitcast<vec4f>(vec4u(stored.x << 16u, stored.x & 0xffff0000u, stored.y << 16u, stored.y & 0xffff0000u));
}
