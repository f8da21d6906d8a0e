// Makes the attention result of a query from those of the splits of its keys: Σ e^(mₛ−m)·oₛ / Σ e^(mₛ−m)·wₛ.
//
// Shapes     splitResults [H·n, splits, channels + 2] as attention.wgsl writes them, out [H, n, outChannels],
//            logSumExp [H, n].
// Grid       LANES threads per query head and row, each taking every LANES-th channel; 64 a workgroup, linear.
// Precision  32-bit.
// Equals     `attention` of cpu.ts.
//
// Constants  LANES: a power of two up to 64.

struct Params {
  items: u32,
  splits: u32,
  channels: u32,
  queryRows: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
  outChannels: u32,
  logSumExpOffset: u32,
  logSumExpHeadStride: u32,
  hasLogSumExp: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> splitResults: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> logSumExp: array<u32>;

const NEGATIVE_INFINITY_BITS = 0xff800000u;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let index = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let item = index / LANES;
  let lane = index % LANES;
  if (item >= params.items) { return; }
  let head = item / params.queryRows;
  let row = item % params.queryRows;
  let size = params.channels + 2u;
  let start = item * params.splits * size;

  var maximum = splitResults[start + params.channels];
  for (var split = 1u; split < params.splits; split++) {
    maximum = max(maximum, splitResults[start + split * size + params.channels]);
  }
  var total = 0.0;
  for (var split = 0u; split < params.splits; split++) {
    let at = start + split * size + params.channels;
    total += exp(splitResults[at] - maximum) * splitResults[at + 1u];
  }
  for (var channel = lane; channel < params.outChannels; channel += LANES) {
    var result = 0.0;
    for (var split = 0u; split < params.splits; split++) {
      let at = start + split * size;
      result += exp(splitResults[at + params.channels] - maximum) * splitResults[at + channel];
    }
    out[params.outOffset + head * params.outHeadStride + row * params.outRowStride + channel] =
      select(0.0, result / total, total > 0.0);
  }
  if (params.hasLogSumExp == 1u && lane == 0u) {
    var bits = NEGATIVE_INFINITY_BITS;
    if (total > 0.0) { bits = bitcast<u32>(maximum + log(total)); }
    logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + row] = bits;
  }
}
