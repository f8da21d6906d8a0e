// Softmax attention, tile by tile (online softmax, arXiv 2205.14135), for blocks of queries.
//
// Shapes     query [H, n, d], key and value [G, m, d], out [H, n, d], logSumExp [H, n]. d and the offsets and strides of
//            query, key and value count vectors of four; outChannels and the rest count numbers.
// Keys       Visible keys are numbered: first those of the list, then the range. Query i sees the first limit(i) of them.
// Grid       one workgroup of 8 × 8 threads per query head and 32 query rows, linear from firstItem; tiles of 32 keys that
//            no row sees are not visited.
// Precision  32-bit; scores that are masked are −1e30 inside and contribute exactly 0.
// Equals     `attention` of gpu/cpu. A query that sees no key gets zeros and −∞.
//
// A thread owns query rows y, y+8, y+16, y+24 of the tile: for scores with keys x, x+8, …, for results with vector x of each
// chunk of 32 channels. Workgroup memory does not grow with d. Softmax: threads 2r and 2r+1 share row r.
//
// Constants  CHUNKS: ⌈d/32⌉.

struct Params {
  firstItem: u32,
  endItem: u32,
  queryRows: u32,
  headsPerGroup: u32,
  vectors: u32,
  scale: f32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  valueOffset: u32,
  valueHeadStride: u32,
  valueRowStride: u32,
  listOffset: u32,
  listCount: u32,
  listRowStride: u32,
  headsPerSet: u32,
  rangeStart: u32,
  rangeLength: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
  outChannels: u32,
  logSumExpOffset: u32,
  logSumExpHeadStride: u32,
  causal: u32,
  hasLogSumExp: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> value: array<vec4f>;
@group(0) @binding(4) var<storage, read> list: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> logSumExp: array<u32>;

const TILE = 32u;
const PITCH = 9u;
const WEIGHT_PITCH = 33u;
const MASKED = -1e30;
const NEGATIVE_INFINITY_BITS = 0xff800000u;

var<workgroup> queryTile: array<vec4f, TILE * PITCH>;
var<workgroup> keyTile: array<vec4f, TILE * PITCH>;
var<workgroup> weights: array<f32, TILE * WEIGHT_PITCH>;
var<workgroup> halves: array<f32, 64>;
var<workgroup> rescale: array<f32, TILE>;

/// Number of visible keys of a query row.
fn limit(row: u32) -> u32 {
  if (row >= params.queryRows) { return 0u; }
  let total = params.listCount + params.rangeLength;
  if (params.causal == 0u) { return total; }
  let hidden = params.queryRows - 1u - row;
  return max(params.listCount, total - min(hidden, total));
}

/// The key row that a visible key is.
fn keyRow(index: u32, head: u32) -> u32 {
  if (index < params.listCount) {
    return list[params.listOffset + head / params.headsPerSet * params.listRowStride + index];
  }
  return params.rangeStart + index - params.listCount;
}

@compute @workgroup_size(8, 8)
fn main(
  @builtin(local_invocation_id) position: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + workgroup.y * workgroups.x + workgroup.x;
  let tiles = (params.queryRows + TILE - 1u) / TILE;
  let head = item / tiles;
  let firstRow = item % tiles * TILE;
  let keyHead = head / params.headsPerGroup;
  let lastRow = min(firstRow + TILE, params.queryRows) - 1u;
  let end = select(0u, limit(lastRow), item < params.endItem);

  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let keyStart = params.keyOffset + keyHead * params.keyHeadStride;
  let valueStart = params.valueOffset + keyHead * params.valueHeadStride;
  // Loading: this thread takes vector position.x of rows position.y, + 8, + 16, + 24.
  let loadTo = position.y * PITCH + position.x;

  var results = array<vec4f, 4u * CHUNKS>();
  let softmaxRow = thread / 2u;
  let softmaxStart = softmaxRow * WEIGHT_PITCH + thread % 2u * 16u;
  var maximum = MASKED;
  var sum = 0.0;
  let rowLimits = vec4u(
    limit(firstRow + position.y),
    limit(firstRow + position.y + 8u),
    limit(firstRow + position.y + 16u),
    limit(firstRow + position.y + 24u),
  );

  for (var first = 0u; first < end; first += TILE) {
    var rows: array<u32, 4>;
    for (var i = 0u; i < 4u; i++) {
      rows[i] = keyRow(min(first + position.y + 8u * i, end - 1u), head);
    }

    // Scores of 32 queries and 32 keys.
    var scores0 = vec4f();
    var scores1 = vec4f();
    var scores2 = vec4f();
    var scores3 = vec4f();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
      let vector = 8u * chunk + position.x;
      let inside = vector < params.vectors;
      for (var i = 0u; i < 4u; i++) {
        if (CHUNKS > 1u || first == 0u) {
          let row = firstRow + position.y + 8u * i;
          var loaded = vec4f();
          if (inside && row < params.queryRows) { loaded = query[queryStart + row * params.queryRowStride + vector]; }
          queryTile[loadTo + 8u * i * PITCH] = loaded;
        }
        var loadedKey = vec4f();
        if (inside) { loadedKey = key[keyStart + rows[i] * params.keyRowStride + vector]; }
        keyTile[loadTo + 8u * i * PITCH] = loadedKey;
      }
      workgroupBarrier();
      for (var v = 0u; v < 8u; v++) {
        let k0 = keyTile[position.x * PITCH + v];
        let k1 = keyTile[(position.x + 8u) * PITCH + v];
        let k2 = keyTile[(position.x + 16u) * PITCH + v];
        let k3 = keyTile[(position.x + 24u) * PITCH + v];
        let q0 = queryTile[position.y * PITCH + v];
        let q1 = queryTile[(position.y + 8u) * PITCH + v];
        let q2 = queryTile[(position.y + 16u) * PITCH + v];
        let q3 = queryTile[(position.y + 24u) * PITCH + v];
        scores0 += vec4f(dot(q0, k0), dot(q0, k1), dot(q0, k2), dot(q0, k3));
        scores1 += vec4f(dot(q1, k0), dot(q1, k1), dot(q1, k2), dot(q1, k3));
        scores2 += vec4f(dot(q2, k0), dot(q2, k1), dot(q2, k2), dot(q2, k3));
        scores3 += vec4f(dot(q3, k0), dot(q3, k1), dot(q3, k2), dot(q3, k3));
      }
      workgroupBarrier();
    }
    let keys = vec4u(first + position.x) + vec4u(0u, 8u, 16u, 24u);
    storeScores(position.x, position.y, scores0, keys < vec4u(rowLimits.x));
    storeScores(position.x, position.y + 8u, scores1, keys < vec4u(rowLimits.y));
    storeScores(position.x, position.y + 16u, scores2, keys < vec4u(rowLimits.z));
    storeScores(position.x, position.y + 24u, scores3, keys < vec4u(rowLimits.w));
    workgroupBarrier();

    // Online softmax of 16 scores of a row.
    var highest = MASKED;
    for (var k = 0u; k < 16u; k++) { highest = max(highest, weights[softmaxStart + k]); }
    halves[thread] = highest;
    workgroupBarrier();
    let newMaximum = max(maximum, max(halves[thread], halves[thread ^ 1u]));
    let factor = exp(maximum - newMaximum);
    maximum = newMaximum;
    sum *= factor;
    for (var k = 0u; k < 16u; k++) {
      let score = weights[softmaxStart + k];
      let weight = select(exp(score - maximum), 0.0, score <= MASKED);
      weights[softmaxStart + k] = weight;
      sum += weight;
    }
    rescale[softmaxRow] = factor;
    workgroupBarrier();

    // Results of 32 queries, 32 channels at a time.
    let factors = vec4f(
      rescale[position.y],
      rescale[position.y + 8u],
      rescale[position.y + 16u],
      rescale[position.y + 24u],
    );
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
      let vector = 8u * chunk + position.x;
      for (var i = 0u; i < 4u; i++) {
        var loaded = vec4f();
        if (vector < params.vectors) { loaded = value[valueStart + rows[i] * params.valueRowStride + vector]; }
        keyTile[loadTo + 8u * i * PITCH] = loaded;
      }
      workgroupBarrier();
      var result0 = results[4u * chunk] * factors.x;
      var result1 = results[4u * chunk + 1u] * factors.y;
      var result2 = results[4u * chunk + 2u] * factors.z;
      var result3 = results[4u * chunk + 3u] * factors.w;
      for (var k = 0u; k < TILE; k++) {
        let v = keyTile[k * PITCH + position.x];
        result0 += weights[position.y * WEIGHT_PITCH + k] * v;
        result1 += weights[(position.y + 8u) * WEIGHT_PITCH + k] * v;
        result2 += weights[(position.y + 16u) * WEIGHT_PITCH + k] * v;
        result3 += weights[(position.y + 24u) * WEIGHT_PITCH + k] * v;
      }
      results[4u * chunk] = result0;
      results[4u * chunk + 1u] = result1;
      results[4u * chunk + 2u] = result2;
      results[4u * chunk + 3u] = result3;
      workgroupBarrier();
    }
  }

  halves[thread] = sum;
  workgroupBarrier();
  if (item >= params.endItem) { return; }
  if (params.hasLogSumExp == 1u && thread % 2u == 0u && firstRow + softmaxRow < params.queryRows) {
    let total = halves[thread] + halves[thread + 1u];
    var bits = NEGATIVE_INFINITY_BITS;
    if (total > 0.0) { bits = bitcast<u32>(maximum + log(total)); }
    logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + firstRow + softmaxRow] = bits;
  }
  for (var i = 0u; i < 4u; i++) {
    let tileRow = position.y + 8u * i;
    let row = firstRow + tileRow;
    let total = halves[2u * tileRow] + halves[2u * tileRow + 1u];
    let factor = select(0.0, 1.0 / total, total > 0.0);
    if (row < params.queryRows) {
      for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let result = results[4u * chunk + i] * factor;
        for (var c = 0u; c < 4u; c++) {
          let channel = 32u * chunk + 4u * position.x + c;
          if (channel < params.outChannels) {
            out[params.outOffset + head * params.outHeadStride + row * params.outRowStride + channel] = result[c];
          }
        }
      }
    }
  }
}

fn storeScores(firstColumn: u32, row: u32, scores: vec4f, isVisible: vec4<bool>) {
  let masked = select(vec4f(MASKED), params.scale * scores, isVisible);
  let at = row * WEIGHT_PITCH + firstColumn;
  weights[at] = masked.x;
  weights[at + 8u] = masked.y;
  weights[at + 16u] = masked.z;
  weights[at + 24u] = masked.w;
}
