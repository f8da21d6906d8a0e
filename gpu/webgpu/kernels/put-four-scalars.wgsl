// Four neighbouring floats of a kernel's `out: array<Element>`, one by one. A part of theirs; put-four-vectors.wgsl is the same
// for rows that are whole vectors.

alias Element = f32;

/// Floats from `at` on, of which `count` are there.
fn fourAt(at: u32, count: u32) -> vec4f {
  var four = vec4f();
  for (var i = 0u; i < 4u; i++) { // unrolled
    if (i < count) { four[i] = out[at + i]; }
  }
  return four;
}

fn putFour(at: u32, count: u32, four: vec4f) {
  for (var i = 0u; i < 4u; i++) { // unrolled
    if (i < count) { out[at + i] = four[i]; }
  }
}
