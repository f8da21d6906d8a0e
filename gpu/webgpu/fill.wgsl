// out[offset … offset + count) = bits.
//
// Grid       one thread per element, 64 a workgroup, linear.

struct Params {
  offset: u32,
  count: u32,
  bits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (element < params.count) { out[params.offset + element] = params.bits; }
}
