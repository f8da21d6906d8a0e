// out[h, i, t] = exp(score − logSumExp_i) for keys that query i sees (mask.wgsl), 0 elsewhere.
//
// Shapes     query [H, n, d], key [G, m, d], their d, offsets and strides in vectors of four; logSumExp [H, n];
//            out dense [H, n, m].
// Grid       one workgroup of 8 × 8 threads per 64 × 64 tile; workgroups.x over keys, workgroups.y over items from
//            firstItem: query head · query tiles + query tile.
// Precision  32-bit.
// Equals     `attentionProbabilities` of cpu.ts.
//
// Thread (x, y) holds rows y, y+8, … and keys x, x+8, … of the tile in registers, as matmul.wgsl does. Rows and keys beyond
// the end repeat the last one and are not stored; tiles that no row sees are not computed.

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
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const TILE = 64u;

fn storeRow(head: u32, row: u32, firstKey: u32, left: vec4f, right: vec4f) {
  if (row >= params.queryRows) { return; }
  let end = limit(row);
  let begin = firstSeen(row);
  let lse = logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + row];
  let outStart = (head * params.queryRows + row) * params.keyRows;
  let leftScores = capped(params.scale * left);
  let rightScores = capped(params.scale * right);
  for (var j = 0u; j < 8u; j++) {
    let keyRow = firstKey + 8u * j;
    if (keyRow >= params.keyRows) { return; }
    var probability = 0.0;
    if (keyRow < end && (!WINDOWED || keyRow >= begin)) { probability = exp(select(rightScores[j % 4u], leftScores[j % 4u], j < 4u) - lse); }
    out[outStart + keyRow] = probability;
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) thread: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let tiles = (params.queryRows + TILE - 1u) / TILE;
  let item = params.firstItem + workgroup.y;
  let head = item / tiles;
  let firstRow = item % tiles * TILE;
  let row = firstRow + thread.y;
  let keyRow = workgroup.x * TILE + thread.x;
  let lastQuery = params.queryRows - 1u;
  let lastKey = params.keyRows - 1u;
  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride;
  let isSeen = workgroup.x * TILE < limit(min(firstRow + TILE, params.queryRows) - 1u) &&
    (!WINDOWED || (workgroup.x + 1u) * TILE > firstSeen(firstRow));
  let vectors = select(0u, params.vectors, isSeen);
  let q0 = queryStart + min(row, lastQuery) * params.queryRowStride;
  let q1 = queryStart + min(row + 8u, lastQuery) * params.queryRowStride;
  let q2 = queryStart + min(row + 16u, lastQuery) * params.queryRowStride;
  let q3 = queryStart + min(row + 24u, lastQuery) * params.queryRowStride;
  let q4 = queryStart + min(row + 32u, lastQuery) * params.queryRowStride;
  let q5 = queryStart + min(row + 40u, lastQuery) * params.queryRowStride;
  let q6 = queryStart + min(row + 48u, lastQuery) * params.queryRowStride;
  let q7 = queryStart + min(row + 56u, lastQuery) * params.queryRowStride;
  let k0 = keyStart + min(keyRow, lastKey) * params.keyRowStride;
  let k1 = keyStart + min(keyRow + 8u, lastKey) * params.keyRowStride;
  let k2 = keyStart + min(keyRow + 16u, lastKey) * params.keyRowStride;
  let k3 = keyStart + min(keyRow + 24u, lastKey) * params.keyRowStride;
  let k4 = keyStart + min(keyRow + 32u, lastKey) * params.keyRowStride;
  let k5 = keyStart + min(keyRow + 40u, lastKey) * params.keyRowStride;
  let k6 = keyStart + min(keyRow + 48u, lastKey) * params.keyRowStride;
  let k7 = keyStart + min(keyRow + 56u, lastKey) * params.keyRowStride;
  var left0 = vec4f();
  var right0 = vec4f();
  var left1 = vec4f();
  var right1 = vec4f();
  var left2 = vec4f();
  var right2 = vec4f();
  var left3 = vec4f();
  var right3 = vec4f();
  var left4 = vec4f();
  var right4 = vec4f();
  var left5 = vec4f();
  var right5 = vec4f();
  var left6 = vec4f();
  var right6 = vec4f();
  var left7 = vec4f();
  var right7 = vec4f();
  for (var v = 0u; v < vectors; v++) {
    let b0 = key[k0 + v];
    let b1 = key[k1 + v];
    let b2 = key[k2 + v];
    let b3 = key[k3 + v];
    let b4 = key[k4 + v];
    let b5 = key[k5 + v];
    let b6 = key[k6 + v];
    let b7 = key[k7 + v];
    let a0 = query[q0 + v];
    left0 += vec4f(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
    right0 += vec4f(dot(a0, b4), dot(a0, b5), dot(a0, b6), dot(a0, b7));
    let a1 = query[q1 + v];
    left1 += vec4f(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
    right1 += vec4f(dot(a1, b4), dot(a1, b5), dot(a1, b6), dot(a1, b7));
    let a2 = query[q2 + v];
    left2 += vec4f(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
    right2 += vec4f(dot(a2, b4), dot(a2, b5), dot(a2, b6), dot(a2, b7));
    let a3 = query[q3 + v];
    left3 += vec4f(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    right3 += vec4f(dot(a3, b4), dot(a3, b5), dot(a3, b6), dot(a3, b7));
    let a4 = query[q4 + v];
    left4 += vec4f(dot(a4, b0), dot(a4, b1), dot(a4, b2), dot(a4, b3));
    right4 += vec4f(dot(a4, b4), dot(a4, b5), dot(a4, b6), dot(a4, b7));
    let a5 = query[q5 + v];
    left5 += vec4f(dot(a5, b0), dot(a5, b1), dot(a5, b2), dot(a5, b3));
    right5 += vec4f(dot(a5, b4), dot(a5, b5), dot(a5, b6), dot(a5, b7));
    let a6 = query[q6 + v];
    left6 += vec4f(dot(a6, b0), dot(a6, b1), dot(a6, b2), dot(a6, b3));
    right6 += vec4f(dot(a6, b4), dot(a6, b5), dot(a6, b6), dot(a6, b7));
    let a7 = query[q7 + v];
    left7 += vec4f(dot(a7, b0), dot(a7, b1), dot(a7, b2), dot(a7, b3));
    right7 += vec4f(dot(a7, b4), dot(a7, b5), dot(a7, b6), dot(a7, b7));
  }
  storeRow(head, row, keyRow, left0, right0);
  storeRow(head, row + 8u, keyRow, left1, right1);
  storeRow(head, row + 16u, keyRow, left2, right2);
  storeRow(head, row + 24u, keyRow, left3, right3);
  storeRow(head, row + 32u, keyRow, left4, right4);
  storeRow(head, row + 40u, keyRow, left5, right5);
  storeRow(head, row + 48u, keyRow, left6, right6);
  storeRow(head, row + 56u, keyRow, left7, right7);
}
