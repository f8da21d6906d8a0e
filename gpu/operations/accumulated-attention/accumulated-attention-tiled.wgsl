// Attention received, per query head and share of its queries, for devices whose workgroup memory is fast: out[h, share, t] = Σ
// over query rows i of the share of exp(score − logSumExp_i), over rows that see key t (mask.wgsl).
//
// Shapes     as accumulated-attention.wgsl.
// Grid       one workgroup per query head, share and RIGHT_ROWS keys (keys fastest), linear from firstItem. A share is shareRows
//            query rows, LEFT_ROWS at a time (gemm-tile.wgsl) from the first that sees one of the keys.
// Precision  32-bit sums: each thread over its rows, then over the threads.
// Equals     `accumulatedAttention` of cpu.ts before its sum over heads.

struct Params {
  firstItem: u32,
  endItem: u32,
  shares: u32,
  shareRows: u32,
  queryRows: u32,
  keyRows: u32,
  headsPerGroup: u32,
  vectors: u32,
  scale: f32,
  softCap: f32,
  causalOffset: u32,
  window: u32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  logSumExpOffset: u32,
  logSumExpHeadStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

/// The threads' sums of four keys each, one after the other along the queries.
var<workgroup> threadSums: array<vec4f, WIDE * HIGH * COLUMN_GROUPS>;

@compute @workgroup_size(WIDE * HIGH)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.endItem) { return; }
  let blocks = (params.keyRows + RIGHT_ROWS - 1u) / RIGHT_ROWS;
  let firstKey = item % blocks * RIGHT_ROWS;
  let share = item / blocks % params.shares;
  tileHead = item / blocks / params.shares;
  let endRow = min(min((share + 1u) * params.shareRows, params.queryRows), endRowOf(firstKey + RIGHT_ROWS - 1u));
  var sums = array<vec4f, COLUMN_GROUPS>();
  for (var firstRow = max(share * params.shareRows, firstRowOf(firstKey)); firstRow < endRow; firstRow += LEFT_ROWS) {
    var scores = Product();
    addProduct(&scores, thread, firstRow, firstKey, params.vectors);
    for (var r = 0u; r < 4u * ROW_GROUPS; r++) { // unrolled
      let row = firstRow + productRow(thread, r);
      let lse = rowLogSumExp(row);
      let end = select(0u, limit(row), row < endRow);
      for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
        sums[g] += probabilitiesOf(scores[r * COLUMN_GROUPS + g], lse, firstKey + productColumn(thread, g), end, row);
      }
    }
  }
  for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
    threadSums[g * WIDE * HIGH + thread] = sums[g];
  }
  workgroupBarrier();
  for (var i = thread; i < WIDE * COLUMN_GROUPS; i += WIDE * HIGH) {
    let g = i / WIDE;
    var total = vec4f();
    for (var y = 0u; y < HIGH; y++) { total += threadSums[g * WIDE * HIGH + y * WIDE + i % WIDE]; }
    let outStart = (tileHead * params.shares + share) * params.keyRows;
    for (var c = 0u; c < 4u; c++) {
      let keyRow = firstKey + productColumn(i % WIDE, g) + c;
      if (keyRow < params.keyRows) { out[outStart + keyRow] = total[c]; }
    }
  }
}
