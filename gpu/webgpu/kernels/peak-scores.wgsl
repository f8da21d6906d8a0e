// ESA Eq. 4 (arXiv 2502.14477): out[m] = max over queries c of ( q_c·k_m − max over m' of q_c·k_m' ), in two passes over the
// score matrix, which is computed in tiles of 64 × 64 and not stored.
//
// Shapes     query [n, K], key [M, K], both with K, offsets and strides in vectors of four; rowPeaks [n]; out [M].
// Grid       16 × 16 threads. Pass 0 (rows): one workgroup per tile; workgroups.x over key tiles, workgroups.y over query
//            tiles. Row maxima are gathered in rowPeaks by atomicMax of integers in the order of the floats; rowPeaks starts
//            at zeros. Pass 1 (columns): one workgroup per 64 keys, which goes through all queries.
// Precision  32-bit. Both passes are one pipeline, so that both compute the same scores: a row's largest gives exactly 0.
// Equals     `peakScores` of gpu/cpu. Maxima do not depend on order.

struct Params {
  isColumnPass: u32,
  queries: u32,
  keys: u32,
  firstKey: u32,
  vectors: u32,
  queryOffset: u32,
  queryStride: u32,
  keyOffset: u32,
  keyStride: u32,
  outOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> rowPeaks: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const TILE = 64u;
const PITCH = 5u;
const LOWEST = -3.4e38;

var<workgroup> queryTile: array<vec4f, TILE * PITCH>;
var<workgroup> keyTile: array<vec4f, TILE * PITCH>;
var<workgroup> peaks: array<f32, TILE * 17u>;

fn ordered(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn unordered(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, order >= 0x80000000u));
}

fn loadQuery(row: u32, vector: u32) -> vec4f {
  if (row >= params.queries || vector >= params.vectors) { return vec4f(); }
  return query[params.queryOffset + row * params.queryStride + vector];
}

fn loadKey(row: u32, vector: u32) -> vec4f {
  if (row >= params.keys || vector >= params.vectors) { return vec4f(); }
  return key[params.keyOffset + row * params.keyStride + vector];
}

fn largest(values: vec4f) -> f32 {
  return max(max(values.x, values.y), max(values.z, values.w));
}

@compute @workgroup_size(16, 16)
fn main(
  @builtin(local_invocation_id) thread: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let firstKey = params.firstKey + workgroup.x * TILE;
  let isColumnPass = params.isColumnPass == 1u;
  let loadRow = index / 4u;
  let loadVector = index % 4u;
  let keys = vec4u(firstKey + thread.x) + vec4u(0u, 16u, 32u, 48u);
  let rows = vec4u(0u, 16u, 32u, 48u) + thread.y;
  var columnPeaks = vec4f(LOWEST);
  let firstQuery = select(workgroup.y * TILE, 0u, isColumnPass);
  let endQuery = select(min(firstQuery + TILE, params.queries), params.queries, isColumnPass);

  for (var tileQuery = firstQuery; tileQuery < endQuery; tileQuery += TILE) {
    var scores = array<vec4f, 4>();
    for (var first = 0u; first < params.vectors; first += 4u) {
      queryTile[loadRow * PITCH + loadVector] = loadQuery(tileQuery + loadRow, first + loadVector);
      keyTile[loadRow * PITCH + loadVector] = loadKey(firstKey + loadRow, first + loadVector);
      workgroupBarrier();
      for (var vector = 0u; vector < 4u; vector++) {
        let k0 = keyTile[thread.x * PITCH + vector];
        let k1 = keyTile[(thread.x + 16u) * PITCH + vector];
        let k2 = keyTile[(thread.x + 32u) * PITCH + vector];
        let k3 = keyTile[(thread.x + 48u) * PITCH + vector];
        for (var i = 0u; i < 4u; i++) {
          let q = queryTile[rows[i] * PITCH + vector];
          scores[i] += vec4f(dot(q, k0), dot(q, k1), dot(q, k2), dot(q, k3));
        }
      }
      workgroupBarrier();
    }
    if (isColumnPass) {
      for (var i = 0u; i < 4u; i++) {
        let row = tileQuery + rows[i];
        if (row < params.queries) {
          columnPeaks = max(columnPeaks, scores[i] - unordered(atomicLoad(&rowPeaks[row])));
        }
      }
    } else {
      for (var i = 0u; i < 4u; i++) {
        peaks[rows[i] * 17u + thread.x] = largest(select(vec4f(LOWEST), scores[i], keys < vec4u(params.keys)));
      }
      workgroupBarrier();
      if (index < TILE && tileQuery + index < params.queries) {
        var peak = LOWEST;
        for (var x = 0u; x < 16u; x++) { peak = max(peak, peaks[index * 17u + x]); }
        atomicMax(&rowPeaks[tileQuery + index], ordered(peak));
      }
    }
  }

  if (!isColumnPass) { return; }
  for (var i = 0u; i < 4u; i++) { peaks[(thread.x + 16u * i) * 17u + thread.y] = columnPeaks[i]; }
  workgroupBarrier();
  if (index < TILE && firstKey + index < params.keys) {
    var peak = LOWEST;
    for (var y = 0u; y < 16u; y++) { peak = max(peak, peaks[index * 17u + y]); }
    out[params.outOffset + firstKey + index] = peak;
  }
}
