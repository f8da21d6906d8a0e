// Reads a buffer and does nothing else: every thread sums the vectors at its place of every round.
//
// Grid       256 threads a workgroup, linear. Work: 16 bytes a vector.
// out        [threads]: sums, so that no read can be left out.

struct Params {
  vectors: u32,
  threads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let place = 256u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (place >= params.threads) { return; }
  var sum = vec4f();
  for (var index = place; index < params.vectors; index += params.threads) { sum += input[index]; }
  out[place] = sum.x + sum.y + sum.z + sum.w;
}
