// out[r, s] = the sum, mean, largest or smallest of input[r, s · segmentLength …]: what a segment has, the last one may be short.
//
// Shapes     input [rows, length], out [rows, segments].
// Grid       LANES threads per segment, 64 a workgroup, linear; they take every LANES-th entry and are combined two by two.
// Precision  32-bit sums. The largest and the smallest are exact: floats are compared as integers (order.wgsl), NaN as −∞.
// Equals     `segmentReduce` of cpu.ts.
//
// Constants  KIND: 0 sum, 1 mean, 2 max, 3 min. LANES: a power of two up to 64.

struct Params {
  rows: u32,
  length: u32,
  segments: u32,
  segmentLength: u32,
  inputOffset: u32,
  inputRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const MEAN = 1u;
const MIN = 3u;
const THREADS = 64u;

var<workgroup> partial: array<u32, THREADS>;

/// What entries are combined as: floats for sums, otherwise orders of which the largest wins. 0 stands for none.
fn combinable(bits: u32) -> u32 {
  if (KIND <= MEAN) { return bits; }
  let order = ordered(bits);
  return select(order, ~order, KIND == MIN);
}

fn combine(a: u32, b: u32) -> u32 {
  if (KIND <= MEAN) { return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b)); }
  return max(a, b);
}

fn resultOf(combined: u32, entries: u32) -> u32 {
  if (KIND == MEAN) { return bitcast<u32>(bitcast<f32>(combined) / f32(entries)); }
  if (KIND < MEAN) { return combined; }
  return unordered(select(combined, ~combined, KIND == MIN));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let lane = thread % LANES;
  let item = (THREADS * (workgroup.y * workgroups.x + workgroup.x) + thread) / LANES;
  let row = item / params.segments;
  let segment = item % params.segments;
  let isSegment = row < params.rows;
  var combined = 0u;
  var entries = 0u;
  if (isSegment) {
    let first = segment * params.segmentLength;
    entries = min(params.segmentLength, params.length - first);
    let start = params.inputOffset + row * params.inputRowStride + first;
    for (var i = lane; i < entries; i += LANES) { combined = combine(combined, combinable(input[start + i])); }
  }
  if (LANES > 1u) {
    partial[thread] = combined;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) { partial[thread] = combine(partial[thread], partial[thread + half]); }
    }
    combined = partial[thread];
  }
  if (isSegment && lane == 0u) {
    out[params.outOffset + row * params.outRowStride + segment] = resultOf(combined, entries);
  }
}
