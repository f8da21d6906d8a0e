// Four neighbouring floats of a kernel's `out: array<Element>` at once: `at` is a multiple of four, and `count` is four at least.

alias Element = vec4f;

fn loadVec4(at: u32, count: u32) -> vec4f {
  return out[at / 4u];
}

fn storeVec4(at: u32, count: u32, four: vec4f) {
  out[at / 4u] = four;
}
