// out[h, i, t] = exp(q_i·k_t·scale − logSumExp_i) for t ≤ i + causalOffset, 0 beyond.
//
// Shapes     query [H, n, d], key [G, m, d], their d, offsets and strides in vectors of four; logSumExp [H, n];
//            out dense [H, n, m].
// Grid       one workgroup of 16 × 16 threads per 64 × 64 tile; workgroups.x over keys, workgroups.y over items from
//            firstItem: query head · query tiles + query tile.
// Precision  32-bit.
// Equals     `attentionWeights` of gpu/cpu.

struct Params {
  firstItem: u32,
  queryRows: u32,
  keyRows: u32,
  headsPerGroup: u32,
  vectors: u32,
  scale: f32,
  causalOffset: u32,
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

const TILE = 64u;
const PITCH = 5u;

var<workgroup> queryTile: array<vec4f, TILE * PITCH>;
var<workgroup> keyTile: array<vec4f, TILE * PITCH>;

/// Number of keys that a query row sees.
fn limit(row: u32) -> u32 {
  return u32(clamp(i32(row) + bitcast<i32>(params.causalOffset) + 1, 0, i32(params.keyRows)));
}

@compute @workgroup_size(16, 16)
fn main(
  @builtin(local_invocation_id) thread: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let tiles = (params.queryRows + TILE - 1u) / TILE;
  let item = params.firstItem + workgroup.y;
  let head = item / tiles;
  let firstRow = item % tiles * TILE;
  let firstKey = workgroup.x * TILE;
  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride;
  let loadRow = index / 4u;
  let loadVector = index % 4u;
  let rows = vec4u(firstRow + thread.y) + vec4u(0u, 16u, 32u, 48u);
  let keys = vec4u(firstKey + thread.x) + vec4u(0u, 16u, 32u, 48u);
  let isSeen = firstKey < limit(min(firstRow + TILE, params.queryRows) - 1u);
  let vectors = select(0u, params.vectors, isSeen);

  var scores = array<vec4f, 4>();
  for (var first = 0u; first < vectors; first += 4u) {
    let vector = first + loadVector;
    var loadedQuery = vec4f();
    if (firstRow + loadRow < params.queryRows && vector < vectors) {
      loadedQuery = query[queryStart + (firstRow + loadRow) * params.queryRowStride + vector];
    }
    var loadedKey = vec4f();
    if (firstKey + loadRow < params.keyRows && vector < vectors) {
      loadedKey = key[keyStart + (firstKey + loadRow) * params.keyRowStride + vector];
    }
    queryTile[loadRow * PITCH + loadVector] = loadedQuery;
    keyTile[loadRow * PITCH + loadVector] = loadedKey;
    workgroupBarrier();
    for (var v = 0u; v < 4u; v++) {
      let k0 = keyTile[thread.x * PITCH + v];
      let k1 = keyTile[(thread.x + 16u) * PITCH + v];
      let k2 = keyTile[(thread.x + 32u) * PITCH + v];
      let k3 = keyTile[(thread.x + 48u) * PITCH + v];
      for (var i = 0u; i < 4u; i++) {
        let q = queryTile[(thread.y + 16u * i) * PITCH + v];
        scores[i] += vec4f(dot(q, k0), dot(q, k1), dot(q, k2), dot(q, k3));
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 4u; i++) {
    let row = rows[i];
    if (row < params.queryRows) {
      let rowLimit = limit(row);
      let lse = logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + row];
      for (var j = 0u; j < 4u; j++) {
        if (keys[j] < params.keyRows) {
          var weight = 0.0;
          if (keys[j] < rowLimit) { weight = exp(params.scale * scores[i][j] - lse); }
          out[(head * params.queryRows + row) * params.keyRows + keys[j]] = weight;
        }
      }
    }
  }
}
