// out[outOffset + r] = index of the largest input[r, :], the lower index at a tie. NaN is never chosen; a row of nothing but
// NaN and −∞ gives 0.
//
// Shapes     input [rows, channels].
// Grid       one workgroup of 64 threads per row, linear; a thread takes every 64th channel, ascending.
// Equals     `argmax` of gpu/cpu, exactly: floats are compared as integers of the same order.

struct Params {
  rows: u32,
  channels: u32,
  inputOffset: u32,
  inputRowStride: u32,
  outOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const THREADS = 64u;
const LOWEST = 0x007fffffu;

var<workgroup> bestOrder: array<u32, THREADS>;
var<workgroup> bestIndex: array<u32, THREADS>;

/// Integers in the order of the floats with these bits: NaN as −∞, −0 as +0.
fn ordered(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return LOWEST; }
  if (magnitude == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  var best = LOWEST;
  var index = 0u;
  if (row < params.rows) {
    for (var c = thread; c < params.channels; c += THREADS) {
      let order = ordered(input[params.inputOffset + row * params.inputRowStride + c]);
      if (order > best) {
        best = order;
        index = c;
      }
    }
  }
  bestOrder[thread] = best;
  bestIndex[thread] = index;
  workgroupBarrier();
  if (thread > 0u || row >= params.rows) { return; }
  for (var other = 1u; other < THREADS; other++) {
    if (bestOrder[other] > best || (bestOrder[other] == best && bestIndex[other] < index)) {
      best = bestOrder[other];
      index = bestIndex[other];
    }
  }
  out[params.outOffset + row] = index;
}
