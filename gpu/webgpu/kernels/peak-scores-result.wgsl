// out[m] = the float of a key's peak, which peak-scores.wgsl leaves as an integer in the order of the floats.
//
// Shapes     peaks [n + M], out [M].
// Grid       one thread per key, 64 a workgroup, linear.
// Equals     `peakScores` of gpu/cpu.

struct Params {
  queries: u32,
  keys: u32,
  outOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> peaks: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

fn unordered(order: u32) -> u32 {
  return select(~order, order & 0x7fffffffu, order >= 0x80000000u);
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let key = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (key < params.keys) { out[params.outOffset + key] = unordered(peaks[params.queries + key]); }
}
