// candidates[r, floors[r, j]] = +∞: what the floor of a row keeps comes before everything else.
//
// Shapes     floors dense [rows, count], candidates dense [rows, length].
// Grid       one thread per entry of a floor, 64 a workgroup, linear.

struct Params {
  rows: u32,
  count: u32,
  length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> floors: array<u32>;
@group(0) @binding(2) var<storage, read_write> candidates: array<u32>;

const INFINITY = 0x7f800000u;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let row = element / params.count;
  if (row >= params.rows) { return; }
  candidates[row * params.length + floors[element]] = INFINITY;
}
