// Four neighbouring floats of a kernel's `out: array<Element>`, one by one. A part of theirs; store-vec4-vectors.wgsl is the same
// for rows that are whole vectors.

alias Element = f32;

/// Floats from `at` on, of which `count` are there.
fn loadVec4(at: u32, count: u32) -> vec4f {
  var four = vec4f();
  for (var i = 0u; i < 4u; i++) { // unrolled
    if (i < count) { four[i] = out[at + i]; }
  }
  return four;
}

fn storeVec4(at: u32, count: u32, four: vec4f) {
  for (var i = 0u; i < 4u; i++) { // unrolled
    if (i < count) { out[at + i] = four[i]; }
  }
}
