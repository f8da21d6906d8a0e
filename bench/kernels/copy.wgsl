// Peak memory traffic: every thread copies one vector.
//
// Grid       64 threads a workgroup, linear. Work: 32 bytes a thread.

struct Params {
  vectors: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let index = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (index < params.vectors) { out[index] = input[index]; }
}
