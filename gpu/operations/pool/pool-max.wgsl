// out[r, j] = the largest input[r, w] with |w − j| ≤ radius, w within the row (ESA, arXiv 2502.14477, Eq. 8). NaN counts as −∞.
//
// Shapes     input and out [rows, length]; row r has firstLength + r entries at most, out is −∞ beyond.
// Grid       one thread per entry, 64 a workgroup, linear.
// Equals     `pool` of cpu.ts with kind 'max', exactly: floats are compared as integers (order.wgsl).

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
