// Attention mass by group of key, per share of the keys, for devices whose workgroup memory is fast: out[share, grouping, h, i,
// c] = Σ over keys t of group c in the share of exp(score − logSumExp_i), over keys that query i sees (mask.wgsl).
//
// Shapes     query [H, n, d], key [G, m, d], their d, offsets and strides in vectors of four; logSumExp [H, n]; groupOf
//            [groupings, sets, m], of which groupings [firstGrouping, firstGrouping + groupingCount) are summed;
//            out [shares, groupings, H, n, groups].
// Grid       one workgroup per query head, share and LEFT_ROWS queries (queries fastest), linear from firstItem. A share is
//            shareKeys keys, RIGHT_ROWS at a time (gemm-tile.wgsl, with one row and one column group).
// Precision  32-bit sums in the order of the keys.
// Equals     `massByGroup` of cpu.ts before its sum over shares.
//
// A second product follows the first: of the probabilities, which go through workgroup memory, with ones where a key is of a
// group.
// Thread (x, y) holds four queries' sums of the bins x, x + WIDE, …; a bin is a grouping and one of its groups.

struct Params {
  firstItem: u32,
  endItem: u32,
  shares: u32,
  shareKeys: u32,
  headsPerSet: u32,
  sets: u32,
  firstGrouping: u32,
  groupingCount: u32,
  groupings: u32,
  heads: u32,
  groups: u32,
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
@group(0) @binding(4) var<storage, read> groupOf: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

const THREADS = WIDE * HIGH;
/// A vector longer than what it holds, so that rows which threads read together lie in different banks.
const PROBABILITY_STRIDE = WIDE + 1u;

/// Probabilities of the block: by query, of four keys each.
var<workgroup> probabilities: array<vec4f, LEFT_ROWS * PROBABILITY_STRIDE>;
/// Groups of the block's keys: by grouping, of four keys each.
var<workgroup> keyGroups: array<vec4u, GROUPINGS * WIDE>;

/// The group of a key; none beyond the end.
fn groupAt(start: u32, keyRow: u32) -> u32 {
  return select(params.groups, groupOf[start + min(keyRow, params.keyRows - 1u)], keyRow < params.keyRows);
}

@compute @workgroup_size(WIDE * HIGH)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.endItem) { return; }
  let blocks = (params.queryRows + LEFT_ROWS - 1u) / LEFT_ROWS;
  let firstRow = item % blocks * LEFT_ROWS;
  let share = item / blocks % params.shares;
  tileHead = item / blocks / params.shares;
  let x = thread % WIDE;
  let quad = 4u * (thread / WIDE);
  let ofSet = tileHead / params.headsPerSet;
  var binGrouping = array<u32, BINS>();
  var binGroup = array<vec4u, BINS>();
  for (var b = 0u; b < BINS; b++) { // unrolled
    let bin = x + WIDE * b;
    // Surplus bins repeat the first grouping with a group that no key has.
    let isBin = bin < params.groupingCount * params.groups;
    binGrouping[b] = select(0u, bin / params.groups, isBin);
    binGroup[b] = vec4u(select(0xffffffffu, bin % params.groups, isBin));
  }
  let lse = vec4f(
    rowLogSumExp(firstRow + quad),
    rowLogSumExp(firstRow + quad + 1u),
    rowLogSumExp(firstRow + quad + 2u),
    rowLogSumExp(firstRow + quad + 3u));

  var sums = array<vec4f, BINS>();
  let seen = limit(min(firstRow + LEFT_ROWS, params.queryRows) - 1u);
  let skipped = firstSeen(firstRow) / RIGHT_ROWS * RIGHT_ROWS;
  let endKey = min((share + 1u) * params.shareKeys, seen);
  for (var firstKey = max(share * params.shareKeys, skipped); firstKey < endKey; firstKey += RIGHT_ROWS) {
    for (var i = thread; i < params.groupingCount * WIDE; i += THREADS) {
      let start = ((params.firstGrouping + i / WIDE) * params.sets + ofSet) * params.keyRows;
      let t = firstKey + 4u * (i % WIDE);
      keyGroups[i] = vec4u(groupAt(start, t), groupAt(start, t + 1u), groupAt(start, t + 2u), groupAt(start, t + 3u));
    }
    var scores = Product();
    addProduct(&scores, thread, firstRow, firstKey, params.vectors);
    let t = firstKey + 4u * x;
    let row = firstRow + quad;
    probabilities[quad * PROBABILITY_STRIDE + x] = probabilitiesOf(scores[0], lse.x, t, limit(row), row);
    probabilities[(quad + 1u) * PROBABILITY_STRIDE + x] = probabilitiesOf(scores[1], lse.y, t, limit(row + 1u), row + 1u);
    probabilities[(quad + 2u) * PROBABILITY_STRIDE + x] = probabilitiesOf(scores[2], lse.z, t, limit(row + 2u), row + 2u);
    probabilities[(quad + 3u) * PROBABILITY_STRIDE + x] = probabilitiesOf(scores[3], lse.w, t, limit(row + 3u), row + 3u);
    workgroupBarrier();
    for (var four = 0u; four < WIDE; four++) {
      let w0 = probabilities[quad * PROBABILITY_STRIDE + four];
      let w1 = probabilities[(quad + 1u) * PROBABILITY_STRIDE + four];
      let w2 = probabilities[(quad + 2u) * PROBABILITY_STRIDE + four];
      let w3 = probabilities[(quad + 3u) * PROBABILITY_STRIDE + four];
      for (var b = 0u; b < BINS; b++) { // unrolled
        // A grouping is below GROUPINGS: said again where it is an index, it spares a check for every vector.
        let groups = keyGroups[binGrouping[b] % GROUPINGS * WIDE + four];
        let isOfGroup = select(vec4f(), vec4f(1.0), groups == binGroup[b]);
        sums[b] += vec4f(dot(w0, isOfGroup), dot(w1, isOfGroup), dot(w2, isOfGroup), dot(w3, isOfGroup));
      }
    }
    workgroupBarrier();
  }

  for (var b = 0u; b < BINS; b++) { // unrolled
    if (x + WIDE * b < params.groupingCount * params.groups) {
      let grouping = params.firstGrouping + binGrouping[b];
      let row = firstRow + quad;
      let outRow = ((share * params.groupings + grouping) * params.heads + tileHead) * params.queryRows + row;
      let at = outRow * params.groups + binGroup[b].x;
      if (row < params.queryRows) { out[at] = sums[b].x; }
      if (row + 1u < params.queryRows) { out[at + params.groups] = sums[b].y; }
      if (row + 2u < params.queryRows) { out[at + 2u * params.groups] = sums[b].z; }
      if (row + 3u < params.queryRows) { out[at + 3u * params.groups] = sums[b].w; }
    }
  }
}
