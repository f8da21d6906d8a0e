// max over queries of a key's score less the query's largest score, ESA Eq. 4, for devices whose workgroup memory is fast.
//
// Shapes     query [n, K], key [M, K]; K, offsets and strides count vectors of four. peaks [n + M], zeros before: those of the
//            queries, then those of the keys, as integers in the order of the floats; esa-importance-result.wgsl makes floats of
//            them.
// Grid       one workgroup per block of LEFT_ROWS queries × RIGHT_ROWS keys (gemm-tile.wgsl); workgroups.x over keys, .y over
//            queries. The row pass adds every query's largest score to peaks; the column pass, after it, every key's.
// Precision  32-bit. Both passes are one pipeline, so that both compute the same scores: a query's best key gets exactly 0.
// Equals     `esaImportance` of cpu.ts. Maxima do not depend on order.

struct Params {
  isColumnPass: u32,
  firstQuery: u32,
  firstKey: u32,
  queries: u32,
  keys: u32,
  vectors: u32,
  queryOffset: u32,
  queryStride: u32,
  keyOffset: u32,
  keyStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> peaks: array<atomic<u32>>;

const LOWEST = -3.4e38;

/// Maxima of the block's rows or columns, as integers in the order of the floats.
var<workgroup> blockPeaks: array<atomic<u32>, max(LEFT_ROWS, RIGHT_ROWS)>;

fn ordered(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn unordered(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, order >= 0x80000000u));
}

/// What lies beyond the end repeats the last query or key, which changes no maximum.
fn leftStart(row: u32) -> u32 {
  return params.queryOffset + min(row, params.queries - 1u) * params.queryStride;
}

fn rightStart(row: u32) -> u32 {
  return params.keyOffset + min(row, params.keys - 1u) * params.keyStride;
}

fn leftVector(start: u32, vector: u32) -> vec4f {
  return query[start + vector];
}

fn rightVector(start: u32, vector: u32) -> vec4f {
  return key[start + vector];
}

fn largest(four: vec4f) -> f32 {
  return max(max(four.x, four.y), max(four.z, four.w));
}

@compute @workgroup_size(WIDE * HIGH)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let firstQuery = params.firstQuery + workgroup.y * LEFT_ROWS;
  let firstKey = params.firstKey + workgroup.x * RIGHT_ROWS;
  var scores = Product();
  addProduct(&scores, thread, firstQuery, firstKey, params.vectors);

  for (var i = thread; i < max(LEFT_ROWS, RIGHT_ROWS); i += PRODUCT_THREADS) { atomicStore(&blockPeaks[i], 0u); }
  workgroupBarrier();
  if (params.isColumnPass == 1u) {
    var maxima = array<vec4f, COLUMN_GROUPS>();
    for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
      maxima[g] = vec4f(LOWEST);
    }
    for (var r = 0u; r < 4u * ROW_GROUPS; r++) { // unrolled
      let row = min(firstQuery + productRow(thread, r), params.queries - 1u);
      let peak = unordered(atomicLoad(&peaks[row]));
      for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
        maxima[g] = max(maxima[g], scores[r * COLUMN_GROUPS + g] - peak);
      }
    }
    for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
      for (var c = 0u; c < 4u; c++) { // unrolled
        atomicMax(&blockPeaks[productColumn(thread, g) + c], ordered(maxima[g][c]));
      }
    }
  } else {
    for (var r = 0u; r < 4u * ROW_GROUPS; r++) { // unrolled
      var maximum = vec4f(LOWEST);
      for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
        maximum = max(maximum, scores[r * COLUMN_GROUPS + g]);
      }
      atomicMax(&blockPeaks[productRow(thread, r)], ordered(largest(maximum)));
    }
  }
  workgroupBarrier();
  let isColumnPass = params.isColumnPass == 1u;
  let blockRows = select(LEFT_ROWS, RIGHT_ROWS, isColumnPass);
  let first = select(firstQuery, firstKey, isColumnPass);
  let end = select(params.queries, params.keys, isColumnPass);
  for (var i = thread; i < min(blockRows, end - first); i += PRODUCT_THREADS) {
    atomicMax(&peaks[select(0u, params.queries, isColumnPass) + first + i], atomicLoad(&blockPeaks[i]));
  }
}
