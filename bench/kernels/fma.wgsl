// Peak arithmetic: eight independent chains of fused multiply-adds of vectors per thread. Sixteen steps a round: a loop's own
// instructions, which would otherwise take a third of the time, then hardly count.
//
// Grid       64 threads a workgroup, linear. Work: threads · rounds · 16 steps · 8 chains · 4 numbers · 2 operations.

struct Params {
  rounds: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn fourSteps(x: vec4f, factor: vec4f) -> vec4f {
  return fma(fma(fma(fma(x, factor, factor), factor, factor), factor, factor), factor, factor);
}

fn sixteenSteps(x: vec4f, factor: vec4f) -> vec4f {
  return fourSteps(fourSteps(fourSteps(fourSteps(x, factor), factor), factor), factor);
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let index = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let factor = vec4f(params.factor);
  let start = f32(index % 7u);
  var a = vec4f(start);
  var b = vec4f(start + 1.0);
  var c = vec4f(start + 2.0);
  var d = vec4f(start + 3.0);
  var e = vec4f(start + 4.0);
  var f = vec4f(start + 5.0);
  var g = vec4f(start + 6.0);
  var h = vec4f(start + 7.0);
  for (var round = 0u; round < params.rounds; round++) {
    a = sixteenSteps(a, factor);
    b = sixteenSteps(b, factor);
    c = sixteenSteps(c, factor);
    d = sixteenSteps(d, factor);
    e = sixteenSteps(e, factor);
    f = sixteenSteps(f, factor);
    g = sixteenSteps(g, factor);
    h = sixteenSteps(h, factor);
  }
  let sum = a + b + c + d + e + f + g + h;
  out[index] = sum.x + sum.y + sum.z + sum.w;
}
