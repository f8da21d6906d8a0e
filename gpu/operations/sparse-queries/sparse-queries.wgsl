// out[h, i, c] = query[h, i, c] · √(‖q‖₁ / ‖q on what is kept‖₁) for the `count` channels with the largest Σ |q| over the heads of a
// group, of equals the lower channel; 0 for others (SparQ, arXiv 2312.04985).
//
// Shapes     query and out [groups · HEADS, rows, CHANNELS].
// Grid       one workgroup of 64 threads per group and row, linear; a thread has every 64th channel, then every 64th head.
// Precision  32-bit sums, over heads in order.
// Equals     `sparseQueries` of cpu.ts: the sums that decide are the same, bit for bit.
//
// Constants  CHANNELS: d. HEADS: query heads of a group.

struct Params {
  items: u32,
  rows: u32,
  count: u32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const THREADS = 64u;

var<workgroup> sums: array<f32, CHANNELS>;
var<workgroup> isKept: array<u32, CHANNELS>;
var<workgroup> factors: array<f32, HEADS>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.items) { return; }
  let head = item / params.rows * HEADS;
  let row = item % params.rows;
  let queryStart = params.queryOffset + head * params.queryHeadStride + row * params.queryRowStride;
  let outStart = params.outOffset + head * params.outHeadStride + row * params.outRowStride;
  for (var c = thread; c < CHANNELS; c += THREADS) {
    var sum = 0.0;
    for (var h = 0u; h < HEADS; h++) { sum += abs(query[queryStart + h * params.queryHeadStride + c]); }
    sums[c] = sum;
  }
  workgroupBarrier();
  for (var c = thread; c < CHANNELS; c += THREADS) {
    let sum = sums[c];
    var rank = 0u;
    for (var other = 0u; other < CHANNELS; other++) {
      rank += u32(sums[other] > sum || (sums[other] == sum && other < c));
    }
    isKept[c] = u32(rank < params.count);
  }
  workgroupBarrier();
  for (var h = thread; h < HEADS; h += THREADS) {
    var all = 0.0;
    var kept = 0.0;
    for (var c = 0u; c < CHANNELS; c++) {
      let size = abs(query[queryStart + h * params.queryHeadStride + c]);
      all += size;
      kept += f32(isKept[c]) * size;
    }
    factors[h] = select(sqrt(all / kept), 0.0, kept == 0.0);
  }
  workgroupBarrier();
  for (var h = 0u; h < HEADS; h++) {
    let factor = factors[h];
    for (var c = thread; c < CHANNELS; c += THREADS) {
      let kept = factor * query[queryStart + h * params.queryHeadStride + c];
      out[outStart + h * params.outHeadStride + c] = select(0.0, kept, isKept[c] == 1u);
    }
  }
}
