// out[m] = the float of a key's peak, which esa-importance.wgsl leaves as an integer in the order of the floats.
//
// Shapes     peaks [n + M], out [M].
// Grid       one thread per key, 64 a workgroup, linear. A thread also looks at every M-th query's peak, and gives its key −∞ if
//            one is not finite, as it does where the key's own peak left 32 bits: a maximum would hide such numbers.
// Equals     `esaImportance` of cpu.ts.

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

/// 3.4e38, the magnitude that esa-importance.wgsl begins its maxima with: what reaches it is NaN or left 32 bits.
const LARGEST = 0x7f7fc99eu;
const MINUS_INFINITY = 0xff800000u;

fn isNone(bits: u32) -> bool {
  return (bits & 0x7fffffffu) >= LARGEST;
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let key = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (key >= params.keys) { return; }
  let peak = unordered(peaks[params.queries + key]);
  var isWrong = isNone(peak);
  for (var query = key; query < params.queries; query += params.keys) {
    isWrong = isWrong || isNone(unordered(peaks[query]));
  }
  out[params.outOffset + key] = select(peak, MINUS_INFINITY, isWrong);
}
