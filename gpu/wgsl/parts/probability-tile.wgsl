// What kernels share that compute tiles of attention probabilities by gemm-tile.wgsl: query rows on its left, keys on its right.
// A part of theirs; their `params` have the fields of gpu/webgpu/probabilities.ts.

/// The query head of the current tile.
var<private> tileHead: u32;

/// Rows and keys beyond the end repeat the last one.
fn leftStart(row: u32) -> u32 {
  return params.queryOffset + tileHead * params.queryHeadStride +
    min(row, params.queryRows - 1u) * params.queryRowStride;
}

fn rightStart(row: u32) -> u32 {
  return params.keyOffset + tileHead / params.headsPerGroup * params.keyHeadStride +
    min(row, params.keyRows - 1u) * params.keyRowStride;
}

fn leftVector(start: u32, vector: u32) -> vec4f {
  return query[start + vector];
}

fn rightVector(start: u32, vector: u32) -> vec4f {
  return key[start + vector];
}

/// Log-sum-exp of a row; beyond the end that of the last one.
fn rowLogSumExp(row: u32) -> f32 {
  let at = min(row, params.queryRows - 1u);
  return logSumExp[params.logSumExpOffset + tileHead * params.logSumExpHeadStride + at];
}

/// The probabilities of a row on four keys, of those below `end` those that it sees; masked scores are left out before the
/// exponential, which could overflow for them.
fn probabilitiesOf(scores: vec4f, lse: f32, firstKey: u32, end: u32, row: u32) -> vec4f {
  let keys = vec4u(firstKey) + vec4u(0u, 1u, 2u, 3u);
  var isSeen = keys < vec4u(end);
  if (WINDOWED) { isSeen = isSeen & (keys >= vec4u(firstSeen(row))); }
  return select(vec4f(), exp(select(vec4f(), capped(params.scale * scores) - lse, isSeen)), isSeen);
}
