// Merges two attention results over disjoint keys into the first: o = Σ e^(λ−m)·o / Σ e^(λ−m), λ = m + ln Σ e^(λ−m)
// (ESA, arXiv 2502.14477, App. G, Alg. 1, with the maximum m subtracted).
//
// Shapes     intoOut and fromOut [H, n, d], their log-sum-exp λ [H, n].
// Grid       LANES threads per head and row, 64 a workgroup, linear; each takes every LANES-th channel.
// Precision  32-bit. λ is handled as bits: −∞ means no keys, and such a side changes nothing.
// Equals     `mergeAttention` of cpu.ts.
//
// Constants  LANES: a divisor of 64.

struct Params {
  heads: u32,
  rows: u32,
  channels: u32,
  fromOffset: u32,
  fromHeadStride: u32,
  fromRowStride: u32,
  intoOffset: u32,
  intoHeadStride: u32,
  intoRowStride: u32,
  fromScalarOffset: u32,
  fromScalarHeadStride: u32,
  intoScalarOffset: u32,
  intoScalarHeadStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> fromOut: array<f32>;
@group(0) @binding(2) var<storage, read> fromLogSumExp: array<u32>;
@group(0) @binding(3) var<storage, read_write> intoOut: array<f32>;
@group(0) @binding(4) var<storage, read_write> intoLogSumExp: array<u32>;

const NEGATIVE_INFINITY_BITS = 0xff800000u;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = (workgroup.y * workgroups.x + workgroup.x) * (64u / LANES) + thread / LANES;
  let lane = thread % LANES;
  let isItem = item < params.heads * params.rows;
  let head = item / params.rows;
  let row = item % params.rows;
  let intoScalar = params.intoScalarOffset + head * params.intoScalarHeadStride + row;
  var fromBits = NEGATIVE_INFINITY_BITS;
  var intoBits = NEGATIVE_INFINITY_BITS;
  if (isItem) {
    fromBits = fromLogSumExp[params.fromScalarOffset + head * params.fromScalarHeadStride + row];
    intoBits = intoLogSumExp[intoScalar];
  }
  // Every thread has read λ before one writes it.
  workgroupBarrier();
  if (!isItem || fromBits == NEGATIVE_INFINITY_BITS) { return; }

  var intoWeight = 0.0;
  var fromWeight = 1.0;
  var merged = fromBits;
  if (intoBits != NEGATIVE_INFINITY_BITS) {
    let difference = bitcast<f32>(fromBits) - bitcast<f32>(intoBits);
    // The smaller side over the larger: an exponential of something negative.
    let ratio = exp(-abs(difference));
    let larger = max(bitcast<f32>(fromBits), bitcast<f32>(intoBits));
    fromWeight = select(ratio, 1.0, difference >= 0.0) / (1.0 + ratio);
    intoWeight = select(1.0, ratio, difference >= 0.0) / (1.0 + ratio);
    merged = bitcast<u32>(larger + log(1.0 + ratio));
  }
  let fromStart = params.fromOffset + head * params.fromHeadStride + row * params.fromRowStride;
  let intoStart = params.intoOffset + head * params.intoHeadStride + row * params.intoRowStride;
  for (var c = lane; c < params.channels; c += LANES) {
    intoOut[intoStart + c] = intoWeight * intoOut[intoStart + c] + fromWeight * fromOut[fromStart + c];
  }
  if (lane == 0u) { intoLogSumExp[intoScalar] = merged; }
}
