// out[h, i, t] = exp(score − logSumExp_i) for keys that query i sees (mask.wgsl), 0 elsewhere, for devices whose
// workgroup memory is fast.
//
// Shapes     as attention-probabilities.wgsl; T any (store-vec4-scalars.wgsl) or a multiple of four (store-vec4-vectors.wgsl).
// Grid       one workgroup per block of LEFT_ROWS queries × RIGHT_ROWS keys (gemm-tile.wgsl); workgroups.x over keys,
//            workgroups.y over items from firstItem: query head · query blocks + query block.
// Precision  32-bit.
// Equals     `attentionProbabilities` of cpu.ts.

struct Params {
  firstItem: u32,
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
@group(0) @binding(4) var<storage, read_write> out: array<Element>;

@compute @workgroup_size(WIDE * HIGH)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let blocks = (params.queryRows + LEFT_ROWS - 1u) / LEFT_ROWS;
  let item = params.firstItem + workgroup.y;
  let firstRow = item % blocks * LEFT_ROWS;
  let firstKey = workgroup.x * RIGHT_ROWS;
  tileHead = item / blocks;
  // Blocks that no row sees hold zeros. The product is asked for in any case: behind a condition its sums would not be in
  // registers.
  let isSeen = firstKey < limit(min(firstRow + LEFT_ROWS, params.queryRows) - 1u) &&
    (!WINDOWED || firstKey + RIGHT_ROWS > firstSeen(firstRow));
  var scores = Product();
  addProduct(&scores, thread, firstRow, firstKey, select(0u, params.vectors, isSeen));
  for (var r = 0u; r < 4u * ROW_GROUPS; r++) { // unrolled
    let row = firstRow + productRow(thread, r);
    let lse = rowLogSumExp(row);
    let end = limit(row);
    let outStart = (tileHead * params.queryRows + row) * params.keyRows;
    for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
      let firstOfFour = firstKey + productColumn(thread, g);
      let probabilities = probabilitiesOf(scores[r * COLUMN_GROUPS + g], lse, firstOfFour, end, row);
      if (row < params.queryRows && firstOfFour < params.keyRows) {
        storeVec4(outStart + firstOfFour, params.keyRows - firstOfFour, probabilities);
      }
    }
  }
}
