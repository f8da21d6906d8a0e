// out[r, j] = the largest input[r, w] with |w − j| ≤ radius, w within the row (ESA, arXiv 2502.14477, Eq. 8). NaN counts as −∞.
//
// Shapes     input and out [rows, length]; row r has firstLength + r entries at most, out is −∞ beyond.
// Grid       one thread per entry, 64 a workgroup, linear.
// Equals     `dilate` of gpu/cpu, exactly: floats are compared as integers of the same order.

struct Params {
  rows: u32,
  length: u32,
  firstLength: u32,
  radius: u32,
  inputOffset: u32,
  inputRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const LOWEST = 0x007fffffu;

/// Integers in the order of the floats with these bits: NaN as −∞, −0 as +0.
fn ordered(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return LOWEST; }
  if (magnitude == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn unordered(order: u32) -> u32 {
  return select(~order, order & 0x7fffffffu, order >= 0x80000000u);
}

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
  let end = select(0u, min(j + params.radius + 1u, length), j < length);
  var largest = LOWEST;
  for (var w = j - min(j, params.radius); w < end; w++) { largest = max(largest, ordered(input[start + w])); }
  out[params.outOffset + row * params.outRowStride + j] = unordered(largest);
}
