// out[r, j] = input[r, ⌊j / segmentLength⌋].
//
// Shapes     input [rows, segments], out [rows, length].
// Grid       one thread per entry of out, 64 a workgroup, linear.
// Equals     `expandSegments` of cpu.ts, exactly.

struct Params {
  rows: u32,
  length: u32,
  segmentLength: u32,
  inputOffset: u32,
  inputRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let row = element / params.length;
  let j = element % params.length;
  if (row >= params.rows) { return; }
  out[params.outOffset + row * params.outRowStride + j] =
    input[params.inputOffset + row * params.inputRowStride + j / params.segmentLength];
}
