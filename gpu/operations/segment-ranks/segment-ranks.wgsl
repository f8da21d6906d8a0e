// Rank inside consecutive segments: out = (entries of the segment that are smaller, or equal with a lower index) /
// segmentLength (kvpress lagkv_press.py).
//
// Shapes     input and out [rows, length], length a multiple of segmentLength.
// Grid       one thread per entry, 64 a workgroup, linear.
// Equals     `segmentRanks` of cpu.ts; equal ranks give equal numbers.

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
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let row = element / params.length;
  let position = element % params.length;
  if (row >= params.rows) { return; }
  let start = params.inputOffset + row * params.inputRowStride;
  let first = position / params.segmentLength * params.segmentLength;
  let own = input[start + position];
  var rank = 0u;
  for (var other = first; other < position; other++) { rank += u32(input[start + other] <= own); }
  for (var other = position + 1u; other < first + params.segmentLength; other++) {
    rank += u32(input[start + other] < own);
  }
  out[params.outOffset + row * params.outRowStride + position] = f32(rank) / f32(params.segmentLength);
}
