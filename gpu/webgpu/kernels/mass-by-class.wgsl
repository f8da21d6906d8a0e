// Attention mass by class of key, for any number of groupings of the keys, from one computation of the weights:
// out[grouping, h, i, c] += Σ over visible keys t (t ≤ i + causalOffset) of class c of exp(q_i·k_t·scale − logSumExp_i).
//
// Shapes     query [H, n, d], key [G, m, d], their d, offsets and strides in vectors of four; logSumExp [H, n];
//            classOf [groupings, sets, m]; out [groupings, H, n, classes], zeros before.
// Grid       one workgroup of 8 × 8 threads per query head and 32 query rows, linear from firstItem; it goes through the keys
//            that its rows see, 32 at a time.
// Precision  32-bit: sums over 32 keys, added up in order.
// Equals     `massByClass` of gpu/cpu.
//
// Weights of a tile are computed as in attention.wgsl and left in workgroup memory; then each thread takes pairs of a row and
// a grouping, and adds a tile's weights to four classes at a time. No other thread writes there.

struct Params {
  firstItem: u32,
  endItem: u32,
  queryRows: u32,
  keyRows: u32,
  heads: u32,
  headsPerGroup: u32,
  headsPerSet: u32,
  sets: u32,
  groupings: u32,
  classes: u32,
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
@group(0) @binding(4) var<storage, read> classOf: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

const TILE = 32u;
const PITCH = 9u;
const WEIGHT_PITCH = 33u;

var<workgroup> queryTile: array<vec4f, TILE * PITCH>;
var<workgroup> keyTile: array<vec4f, TILE * PITCH>;
var<workgroup> weights: array<f32, TILE * WEIGHT_PITCH>;

fn limit(row: u32) -> u32 {
  if (row >= params.queryRows) { return 0u; }
  return u32(clamp(i32(row) + bitcast<i32>(params.causalOffset) + 1, 0, i32(params.keyRows)));
}

@compute @workgroup_size(8, 8)
fn main(
  @builtin(local_invocation_id) position: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.endItem) { return; }
  let tiles = (params.queryRows + TILE - 1u) / TILE;
  let head = item / tiles;
  let firstRow = item % tiles * TILE;
  let end = limit(min(firstRow + TILE, params.queryRows) - 1u);
  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride;
  let set0 = head / params.headsPerSet;

  for (var first = 0u; first < end; first += TILE) {
    var scores = array<vec4f, 4>();
    for (var firstVector = 0u; firstVector < params.vectors; firstVector += 8u) {
      let vector = firstVector + position.x;
      let inside = vector < params.vectors;
      for (var i = 0u; i < 4u; i++) {
        let line = position.y + 8u * i;
        var loadedQuery = vec4f();
        if (inside && firstRow + line < params.queryRows) {
          loadedQuery = query[queryStart + (firstRow + line) * params.queryRowStride + vector];
        }
        var loadedKey = vec4f();
        if (inside && first + line < params.keyRows) {
          loadedKey = key[keyStart + (first + line) * params.keyRowStride + vector];
        }
        queryTile[line * PITCH + position.x] = loadedQuery;
        keyTile[line * PITCH + position.x] = loadedKey;
      }
      workgroupBarrier();
      for (var v = 0u; v < 8u; v++) {
        let k0 = keyTile[position.x * PITCH + v];
        let k1 = keyTile[(position.x + 8u) * PITCH + v];
        let k2 = keyTile[(position.x + 16u) * PITCH + v];
        let k3 = keyTile[(position.x + 24u) * PITCH + v];
        for (var i = 0u; i < 4u; i++) {
          let q = queryTile[(position.y + 8u * i) * PITCH + v];
          scores[i] += vec4f(dot(q, k0), dot(q, k1), dot(q, k2), dot(q, k3));
        }
      }
      workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
      let line = position.y + 8u * i;
      let row = min(firstRow + line, params.queryRows - 1u);
      let lse = logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + row];
      let rowLimit = limit(firstRow + line);
      for (var j = 0u; j < 4u; j++) {
        let column = position.x + 8u * j;
        var weight = 0.0;
        if (first + column < rowLimit) { weight = exp(params.scale * scores[i][j] - lse); }
        weights[line * WEIGHT_PITCH + column] = weight;
      }
    }
    workgroupBarrier();

    let keys = min(TILE, end - first);
    for (var pair = thread; pair < TILE * params.groupings; pair += 64u) {
      let line = pair % TILE;
      let grouping = pair / TILE;
      if (firstRow + line < params.queryRows) {
        let classStart = (grouping * params.sets + set0) * params.keyRows + first;
        let outStart =
          ((grouping * params.heads + head) * params.queryRows + firstRow + line) * params.classes;
        for (var class0 = 0u; class0 < params.classes; class0 += 4u) {
          let classes = vec4u(class0) + vec4u(0u, 1u, 2u, 3u);
          var sums = vec4f();
          for (var t = 0u; t < keys; t++) {
            let weight = weights[line * WEIGHT_PITCH + t];
            sums += select(vec4f(), vec4f(weight), classes == vec4u(classOf[classStart + t]));
          }
          for (var c = 0u; c < min(4u, params.classes - class0); c++) { out[outStart + class0 + c] += sums[c]; }
        }
      }
    }
    workgroupBarrier();
  }
}
