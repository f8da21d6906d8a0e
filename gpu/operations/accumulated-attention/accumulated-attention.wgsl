// Attention received, per query head and share of its queries: out[h, share, t] = Σ over query rows i of the share of
// exp(score − logSumExp_i), over rows that see key t (mask.wgsl).
//
// Shapes     query [H, n, d], key [G, m, d], their d, offsets and strides in vectors of four; logSumExp [H, n];
//            out dense [H, shares, m].
// Grid       one thread per query head, share and eight neighbouring keys (keys fastest), 64 a workgroup, linear from firstItem.
//            A share is shareRows query rows; rows are taken four at a time, from the first that sees one of the keys.
// Precision  32-bit sums in the order of the rows.
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

/// The probability of one query on four keys; masked scores are left out before the exponential, which could overflow for them.
fn probabilitiesOf(scores: vec4f, lse: f32, isSeen: vec4<bool>) -> vec4f {
  return select(vec4f(), exp(select(vec4f(), capped(params.scale * scores) - lse, isSeen)), isSeen);
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (item >= params.endItem) { return; }
  let keyGroups = (params.keyRows + 7u) / 8u;
  let firstKey = item % keyGroups * 8u;
  let share = item / keyGroups % params.shares;
  let head = item / keyGroups / params.shares;
  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride;
  let scalarStart = params.logSumExpOffset + head * params.logSumExpHeadStride;
  let lastKey = params.keyRows - 1u;
  let k0 = keyStart + firstKey * params.keyRowStride;
  let k1 = keyStart + min(firstKey + 1u, lastKey) * params.keyRowStride;
  let k2 = keyStart + min(firstKey + 2u, lastKey) * params.keyRowStride;
  let k3 = keyStart + min(firstKey + 3u, lastKey) * params.keyRowStride;
  let k4 = keyStart + min(firstKey + 4u, lastKey) * params.keyRowStride;
  let k5 = keyStart + min(firstKey + 5u, lastKey) * params.keyRowStride;
  let k6 = keyStart + min(firstKey + 6u, lastKey) * params.keyRowStride;
  let k7 = keyStart + min(firstKey + 7u, lastKey) * params.keyRowStride;
  let leftKeys = vec4u(firstKey) + vec4u(0u, 1u, 2u, 3u);
  let endRow = min(min((share + 1u) * params.shareRows, params.queryRows), endRowOf(firstKey + 7u));
  var leftSums = vec4f();
  var rightSums = vec4f();
  for (var row = max(share * params.shareRows, firstRowOf(firstKey)); row < endRow; row += 4u) {
    var left = array<vec4f, 4>();
    var right = array<vec4f, 4>();
    for (var v = 0u; v < params.vectors; v++) {
      let b0 = key[k0 + v];
      let b1 = key[k1 + v];
      let b2 = key[k2 + v];
      let b3 = key[k3 + v];
      let b4 = key[k4 + v];
      let b5 = key[k5 + v];
      let b6 = key[k6 + v];
      let b7 = key[k7 + v];
      for (var r = 0u; r < 4u; r++) {
        let q = query[queryStart + min(row + r, endRow - 1u) * params.queryRowStride + v];
        left[r] += vec4f(dot(q, b0), dot(q, b1), dot(q, b2), dot(q, b3));
        right[r] += vec4f(dot(q, b4), dot(q, b5), dot(q, b6), dot(q, b7));
      }
    }
    for (var r = 0u; r < min(4u, endRow - row); r++) {
      let lse = logSumExp[scalarStart + row + r];
      let end = vec4u(limit(row + r));
      var isLeftSeen = leftKeys < end;
      var isRightSeen = leftKeys + 4u < end;
      if (WINDOWED) {
        isLeftSeen = isLeftSeen & (leftKeys >= vec4u(firstSeen(row + r)));
        isRightSeen = isRightSeen & (leftKeys + 4u >= vec4u(firstSeen(row + r)));
      }
      leftSums += probabilitiesOf(left[r], lse, isLeftSeen);
      rightSums += probabilitiesOf(right[r], lse, isRightSeen);
    }
  }
  let outStart = (head * params.shares + share) * params.keyRows + firstKey;
  for (var j = 0u; j < min(4u, params.keyRows - firstKey); j++) { out[outStart + j] = leftSums[j]; }
  for (var j = 4u; j < min(8u, params.keyRows - firstKey); j++) { out[outStart + j] = rightSums[j - 4u]; }
}
