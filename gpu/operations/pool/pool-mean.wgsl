// out[r, j] = (sum of input[r, w] with |w − j| ≤ radius, w within the row) / width: the mean as if zeros stood beyond the row.
//
// Shapes     input and out [rows, length]; row r has firstLength + r entries at most, out is −∞ beyond.
// Grid       one thread per entry, 64 a workgroup, linear.
// Precision  32-bit sums in order of w.
// Equals     `pool` of cpu.ts with kind 'mean'.

struct Params {
  rows: u32,
  length: u32,
  firstLength: u32,
  radius: u32,
  inputOffset: u32,
  inputRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
  width: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
/// Bits, as −∞ cannot be written down as a float.
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const MINUS_INFINITY = 0xff800000u;

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
  let start = params.inputOffset + row * params.inputRowStride;
  let length = min(params.length, params.firstLength + row);
  let at = params.outOffset + row * params.outRowStride + j;
  if (j >= length) {
    out[at] = MINUS_INFINITY;
    return;
  }
  let end = min(j + params.radius + 1u, length);
  var sum = 0.0;
  for (var w = j - min(j, params.radius); w < end; w++) { sum += input[start + w]; }
  out[at] = bitcast<u32>(sum / params.width);
}
