// Softmax attention with online softmax (arXiv 2205.14135): a thread takes ROWS neighbouring queries and one split of their visible
// keys.
//
// Shapes     query [H, n, d], key and value [G, m, d]; d and their offsets and strides count vectors of four. WHOLE (one split):
//            out [H, n, outChannels] and logSumExp [H, n] are written; otherwise splitResults [H·n, splits, 4·d + 2]: the values
//            summed with weights exp(score − maximum), the maximum, and the sum of the weights, of which
//            attention-merge-splits.wgsl makes the result.
// Keys       Visible keys are numbered (visible-keys.wgsl). Those that none of a thread's rows sees are not visited.
// Grid       one thread per query head, split and ROWS query rows (rows fastest, so that neighbours read the same keys), 64 a
//            workgroup, linear from firstItem.
// Precision  32-bit; scores that are masked are the lowest number there is and contribute exactly 0. All above −3e38 are scores.
// Equals     `attention` of cpu.ts. A query that sees no key gets zeros and −∞.
//
// Keys are taken eight at a time: their scores with all rows in registers, one correction of the results so far for the new
// maximum, then their values. Neither workgroup memory nor barriers are used: a software adapter pays dearly for both.
//
// Constants  VECTORS: d/4; ROWS; WHOLE; RAGGED; WINDOWED; CAPPED.

struct Params {
  firstItem: u32,
  endItem: u32,
  splits: u32,
  keysPerSplit: u32,
  queryRows: u32,
  headsPerGroup: u32,
  scale: f32,
  softCap: f32,
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
  countsOffset: u32,
  rangeStart: u32,
  rangeLength: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
  outChannels: u32,
  logSumExpOffset: u32,
  logSumExpHeadStride: u32,
  causal: u32,
  window: u32,
  hasLogSumExp: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> value: array<vec4f>;
@group(0) @binding(4) var<storage, read> list: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> logSumExp: array<u32>;
@group(0) @binding(7) var<storage, read_write> splitResults: array<f32>;

const MASKED = -0x1.fffffep+127f;
const NEGATIVE_INFINITY_BITS = 0xff800000u;

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
  let rowGroups = (params.queryRows + ROWS - 1u) / ROWS;
  let firstRow = item % rowGroups * ROWS;
  let split = item / rowGroups % params.splits;
  let head = item / rowGroups / params.splits;
  let keyHead = head / params.headsPerGroup;
  let keyStart = params.keyOffset + keyHead * params.keyHeadStride;
  let valueStart = params.valueOffset + keyHead * params.valueHeadStride;

  let visible = visibleTo(head, firstRow);
  // Rows beyond the last repeat it and are not stored.
  var queryStarts = array<u32, ROWS>();
  var limits = array<u32, ROWS>();
  for (var r = 0u; r < ROWS; r++) {
    let row = min(firstRow + r, params.queryRows - 1u);
    queryStarts[r] = params.queryOffset + head * params.queryHeadStride + row * params.queryRowStride;
    limits[r] = limit(row, visible);
  }
  let end = min((split + 1u) * params.keysPerSplit, limits[ROWS - 1u]);

  var results = array<vec4f, ROWS * VECTORS>();
  var maxima = array<f32, ROWS>();
  var sums = array<f32, ROWS>();
  for (var r = 0u; r < ROWS; r++) { maxima[r] = MASKED; }

  for (var first = split * params.keysPerSplit; first < end; first += 8u) {
    let row0 = keyRow(first, visible);
    let row1 = keyRow(min(first + 1u, end - 1u), visible);
    let row2 = keyRow(min(first + 2u, end - 1u), visible);
    let row3 = keyRow(min(first + 3u, end - 1u), visible);
    let row4 = keyRow(min(first + 4u, end - 1u), visible);
    let row5 = keyRow(min(first + 5u, end - 1u), visible);
    let row6 = keyRow(min(first + 6u, end - 1u), visible);
    let row7 = keyRow(min(first + 7u, end - 1u), visible);

    var left = array<vec4f, ROWS>();
    var right = array<vec4f, ROWS>();
    for (var v = 0u; v < VECTORS; v++) {
      let k0 = key[keyStart + row0 * params.keyRowStride + v];
      let k1 = key[keyStart + row1 * params.keyRowStride + v];
      let k2 = key[keyStart + row2 * params.keyRowStride + v];
      let k3 = key[keyStart + row3 * params.keyRowStride + v];
      let k4 = key[keyStart + row4 * params.keyRowStride + v];
      let k5 = key[keyStart + row5 * params.keyRowStride + v];
      let k6 = key[keyStart + row6 * params.keyRowStride + v];
      let k7 = key[keyStart + row7 * params.keyRowStride + v];
      for (var r = 0u; r < ROWS; r++) {
        let q = query[queryStarts[r] + v];
        left[r] += vec4f(dot(q, k0), dot(q, k1), dot(q, k2), dot(q, k3));
        right[r] += vec4f(dot(q, k4), dot(q, k5), dot(q, k6), dot(q, k7));
      }
    }

    // Scores become weights relative to the new maximum; what was relative to the old one is scaled.
    var factors = array<f32, ROWS>();
    let leftKeys = vec4u(first) + vec4u(0u, 1u, 2u, 3u);
    for (var r = 0u; r < ROWS; r++) {
      let ends = vec4u(limits[r]);
      let leftScores = select(vec4f(MASKED), capped(params.scale * left[r]), isSeen(leftKeys, ends, end, visible));
      let rightScores = select(vec4f(MASKED), capped(params.scale * right[r]), isSeen(leftKeys + 4u, ends, end, visible));
      let maximum = max(maxima[r], largest(leftScores, rightScores));
      left[r] = select(exp(leftScores - maximum), vec4f(), leftScores <= vec4f(MASKED));
      right[r] = select(exp(rightScores - maximum), vec4f(), rightScores <= vec4f(MASKED));
      factors[r] = exp(maxima[r] - maximum);
      sums[r] = sums[r] * factors[r] + dot(left[r] + right[r], vec4f(1.0));
      maxima[r] = maximum;
    }

    for (var v = 0u; v < VECTORS; v++) {
      let v0 = value[valueStart + row0 * params.valueRowStride + v];
      let v1 = value[valueStart + row1 * params.valueRowStride + v];
      let v2 = value[valueStart + row2 * params.valueRowStride + v];
      let v3 = value[valueStart + row3 * params.valueRowStride + v];
      let v4 = value[valueStart + row4 * params.valueRowStride + v];
      let v5 = value[valueStart + row5 * params.valueRowStride + v];
      let v6 = value[valueStart + row6 * params.valueRowStride + v];
      let v7 = value[valueStart + row7 * params.valueRowStride + v];
      for (var r = 0u; r < ROWS; r++) {
        let l = left[r];
        let h = right[r];
        results[r * VECTORS + v] = results[r * VECTORS + v] * factors[r]
          + l.x * v0 + l.y * v1 + l.z * v2 + l.w * v3 + h.x * v4 + h.y * v5 + h.z * v6 + h.w * v7;
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) {
    let row = firstRow + r;
    if (row < params.queryRows) {
      if (WHOLE) {
        let outStart = params.outOffset + head * params.outHeadStride + row * params.outRowStride;
        let factor = select(0.0, 1.0 / sums[r], sums[r] > 0.0);
        for (var channel = 0u; channel < params.outChannels; channel++) {
          out[outStart + channel] = factor * results[r * VECTORS + channel / 4u][channel % 4u];
        }
        if (params.hasLogSumExp == 1u) {
          var bits = NEGATIVE_INFINITY_BITS;
          if (sums[r] > 0.0) { bits = bitcast<u32>(maxima[r] + log(sums[r])); }
          logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + row] = bits;
        }
      } else {
        let start = ((head * params.queryRows + row) * params.splits + split) * (4u * VECTORS + 2u);
        for (var channel = 0u; channel < 4u * VECTORS; channel++) {
          splitResults[start + channel] = results[r * VECTORS + channel / 4u][channel % 4u];
        }
        splitResults[start + 4u * VECTORS] = maxima[r];
        splitResults[start + 4u * VECTORS + 1u] = sums[r];
      }
    }
  }
}
