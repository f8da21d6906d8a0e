// out[r, list[s][j]] += sums[first + r · step, j]: what listed keys received, put where they stand. s is the list of that row of
// sums; entries of a list are all different, so that no two threads add to one place.
//
// Shapes     sums dense [rows of sums, listCount], out [rows, length].
// Grid       one thread per row of out and entry, 64 a workgroup, linear.
// Equals     the last step of `accumulatedAttention` of cpu.ts for a list.
//
// Constants  RAGGED: lists have lengths of their own.

struct Params {
  rows: u32,
  length: u32,
  first: u32,
  step: u32,
  rowsPerSet: u32,
  listOffset: u32,
  listCount: u32,
  listRowStride: u32,
  countsOffset: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> list: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let entry = item % params.listCount;
  let row = item / params.listCount;
  if (row >= params.rows) { return; }
  let source = params.first + row * params.step;
  let place = source / params.rowsPerSet;
  if (RAGGED) {
    if (entry >= list[params.countsOffset + place]) { return; }
  }
  let index = list[params.listOffset + place * params.listRowStride + entry];
  if (index < params.length) {
    out[params.outOffset + row * params.outRowStride + index] += sums[source * params.listCount + entry];
  }
}
