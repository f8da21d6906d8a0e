// Peak arithmetic: eight independent chains of fused multiply-adds of vectors per thread.
//
// Grid       64 threads a workgroup, linear. Work: threads · rounds · 8 chains · 4 numbers · 2 operations.

struct Params {
  rounds: u32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

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
  for (var i = 0u; i < params.rounds; i++) {
    a = fma(a, factor, factor);
    b = fma(b, factor, factor);
    c = fma(c, factor, factor);
    d = fma(d, factor, factor);
    e = fma(e, factor, factor);
    f = fma(f, factor, factor);
    g = fma(g, factor, factor);
    h = fma(h, factor, factor);
  }
  let sum = a + b + c + d + e + f + g + h;
  out[index] = sum.x + sum.y + sum.z + sum.w;
}
