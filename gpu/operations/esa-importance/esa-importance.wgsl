// ESA Eq. 4 (arXiv 2502.14477): out[m] = max over queries c of ( q_c·k_m − max over m' of q_c·k_m' ), in two passes over the
// score matrix, which is not stored.
//
// Shapes     query [n, K], key [M, K], both with K, offsets and strides in vectors of four; peaks [n + M], zeros before: those
//            of the queries, then those of the keys, as integers in the order of the floats; esa-importance-result.wgsl makes
//            floats of them.
// Grid       64 threads a workgroup, linear from firstItem. Row pass: a thread takes eight queries and a span of keys. Column
//            pass, after it: a thread takes eight keys and a span of queries. Both go through scores in blocks of 8 × 8 and add
//            their maxima to peaks by atomicMax.
// Precision  32-bit. Both passes are one pipeline, so that both compute the same scores: a query's best key gets exactly 0.
// Equals     `esaImportance` of cpu.ts. Maxima do not depend on order.

struct Params {
  isColumnPass: u32,
  firstItem: u32,
  endItem: u32,
  queries: u32,
  keys: u32,
  span: u32,
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

fn ordered(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn unordered(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, order >= 0x80000000u));
}

fn queryRow(row: u32) -> u32 {
  return params.queryOffset + min(row, params.queries - 1u) * params.queryStride;
}

fn keyRow(row: u32) -> u32 {
  return params.keyOffset + min(row, params.keys - 1u) * params.keyStride;
}

fn largest(left: vec4f, right: vec4f) -> f32 {
  let four = max(left, right);
  return max(max(four.x, four.y), max(four.z, four.w));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (item >= params.endItem) { return; }
  let isColumnPass = params.isColumnPass == 1u;
  // Blocks that this thread goes through: of its span of queries in the column pass, of keys in the row pass.
  let stillRows = select(params.queries, params.keys, isColumnPass);
  let movingRows = select(params.keys, params.queries, isColumnPass);
  let stillBlocks = (stillRows + 7u) / 8u;
  let still = item % stillBlocks * 8u;
  let moving = item / stillBlocks * params.span;
  let firstKey = select(moving, still, isColumnPass);
  let firstQuery = select(still, moving, isColumnPass);
  let blocks = (min(params.span, movingRows - moving) + 7u) / 8u;
  var rowMaxima = array<f32, 8>(LOWEST, LOWEST, LOWEST, LOWEST, LOWEST, LOWEST, LOWEST, LOWEST);
  var leftMaxima = vec4f(LOWEST);
  var rightMaxima = vec4f(LOWEST);

  for (var block = 0u; block < blocks; block++) {
    // What lies beyond the end repeats the last query or key, which changes no maximum.
    let row = firstQuery + select(0u, 8u * block, isColumnPass);
    let column = firstKey + select(8u * block, 0u, isColumnPass);
    let k0 = keyRow(column);
    let k1 = keyRow(column + 1u);
    let k2 = keyRow(column + 2u);
    let k3 = keyRow(column + 3u);
    let k4 = keyRow(column + 4u);
    let k5 = keyRow(column + 5u);
    let k6 = keyRow(column + 6u);
    let k7 = keyRow(column + 7u);
    var left = array<vec4f, 8>();
    var right = array<vec4f, 8>();
    for (var v = 0u; v < params.vectors; v++) {
      let b0 = key[k0 + v];
      let b1 = key[k1 + v];
      let b2 = key[k2 + v];
      let b3 = key[k3 + v];
      let b4 = key[k4 + v];
      let b5 = key[k5 + v];
      let b6 = key[k6 + v];
      let b7 = key[k7 + v];
      for (var r = 0u; r < 8u; r++) {
        let q = query[queryRow(row + r) + v];
        left[r] += vec4f(dot(q, b0), dot(q, b1), dot(q, b2), dot(q, b3));
        right[r] += vec4f(dot(q, b4), dot(q, b5), dot(q, b6), dot(q, b7));
      }
    }
    for (var r = 0u; r < 8u; r++) {
      if (isColumnPass) {
        let peak = unordered(atomicLoad(&peaks[min(row + r, params.queries - 1u)]));
        leftMaxima = max(leftMaxima, left[r] - peak);
        rightMaxima = max(rightMaxima, right[r] - peak);
      } else {
        rowMaxima[r] = max(rowMaxima[r], largest(left[r], right[r]));
      }
    }
  }

  if (isColumnPass) {
    for (var j = 0u; j < min(8u, params.keys - firstKey); j++) {
      let peak = select(rightMaxima[j % 4u], leftMaxima[j % 4u], j < 4u);
      atomicMax(&peaks[params.queries + firstKey + j], ordered(peak));
    }
  } else {
    for (var r = 0u; r < min(8u, params.queries - firstQuery); r++) {
      atomicMax(&peaks[firstQuery + r], ordered(rowMaxima[r]));
    }
  }
}
