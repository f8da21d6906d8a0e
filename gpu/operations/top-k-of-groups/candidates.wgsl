// out[r, j] = score[r, j], +∞ as the largest finite number: what a floor keeps is raised to +∞ afterwards, above everything else.
//
// Shapes     score [rows, length], out dense [rows, length].
// Grid       one thread per entry, 64 a workgroup, linear.
// Equals     bits for bits.

struct Params {
  rows: u32,
  length: u32,
  scoreOffset: u32,
  scoreRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> score: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const INFINITY = 0x7f800000u;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let row = element / params.length;
  if (row >= params.rows) { return; }
  let bits = score[params.scoreOffset + row * params.scoreRowStride + element % params.length];
  out[element] = select(bits, INFINITY - 1u, bits == INFINITY);
}
