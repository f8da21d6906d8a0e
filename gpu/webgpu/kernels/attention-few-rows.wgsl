// Softmax attention of single queries: a workgroup takes one query and a span of its visible keys.
//
// Shapes     query [H, n, d], key and value [G, m, d]. d and the offsets and strides of query, key and value count vectors of
//            four. WHOLE: out [H, n, outChannels] and logSumExp [H, n] are written at once, otherwise spanResults
//            [H·n, spans, 4·d + 2]: the sum weighted by exp(score − maximum), the maximum and the sum of weights;
//            attention-merge-spans.wgsl makes the result of them.
// Keys       Visible keys are numbered: first those of the list, then the range. Query i sees the first limit(i) of them.
// Grid       one workgroup of 64 threads per query head, query row and span of SPAN keys, linear.
// Precision  32-bit.
// Equals     `attention` of gpu/cpu.
//
// Constants  VECTORS: d/4; WHOLE.

struct Params {
  items: u32,
  spans: u32,
  queryRows: u32,
  headsPerGroup: u32,
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
@group(0) @binding(7) var<storage, read_write> spanResults: array<f32>;

const THREADS = 64u;
const SPAN = 256u;
const KEYS_PER_THREAD = SPAN / THREADS;
const MASKED = -1e30;
const NEGATIVE_INFINITY_BITS = 0xff800000u;
/// Threads side by side along the channels, and how many such teams share the keys.
const LANES = min(VECTORS, THREADS);
const TEAMS = THREADS / LANES;

var<workgroup> queryRow: array<vec4f, VECTORS>;
var<workgroup> weights: array<f32, SPAN>;
var<workgroup> partial: array<f32, THREADS>;
var<workgroup> teamResults: array<vec4f, THREADS>;

fn limit(row: u32) -> u32 {
  let total = params.listCount + params.rangeLength;
  if (params.causal == 0u) { return total; }
  let hidden = params.queryRows - 1u - row;
  return max(params.listCount, total - min(hidden, total));
}

fn keyRow(index: u32, head: u32) -> u32 {
  if (index < params.listCount) {
    return list[params.listOffset + head / params.headsPerSet * params.listRowStride + index];
  }
  return params.rangeStart + index - params.listCount;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = workgroup.y * workgroups.x + workgroup.x;
  let isItem = item < params.items;
  let span = item % params.spans;
  let row = item / params.spans % params.queryRows;
  let head = item / params.spans / params.queryRows;
  let keyHead = head / params.headsPerGroup;
  let first = span * SPAN;
  let end = select(0u, min(first + SPAN, limit(row)), isItem);
  let keyStart = params.keyOffset + keyHead * params.keyHeadStride;
  let valueStart = params.valueOffset + keyHead * params.valueHeadStride;

  for (var v = thread; v < VECTORS; v += THREADS) {
    queryRow[v] = query[params.queryOffset + head * params.queryHeadStride + row * params.queryRowStride + v];
  }
  workgroupBarrier();

  // Scores: a key a thread at a time.
  var highest = MASKED;
  for (var i = 0u; i < KEYS_PER_THREAD; i++) {
    let index = first + thread + i * THREADS;
    var score = MASKED;
    if (index < end) {
      let start = keyStart + keyRow(index, head) * params.keyRowStride;
      var total = 0.0;
      for (var v = 0u; v < VECTORS; v++) { total += dot(queryRow[v], key[start + v]); }
      score = params.scale * total;
    }
    weights[thread + i * THREADS] = score;
    highest = max(highest, score);
  }
  partial[thread] = highest;
  workgroupBarrier();
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    if (thread < reach) { partial[thread] = max(partial[thread], partial[thread + reach]); }
    workgroupBarrier();
  }
  let maximum = partial[0];
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < KEYS_PER_THREAD; i++) {
    let score = weights[thread + i * THREADS];
    let weight = select(exp(score - maximum), 0.0, score <= MASKED);
    weights[thread + i * THREADS] = weight;
    sum += weight;
  }
  partial[thread] = sum;
  workgroupBarrier();
  for (var reach = THREADS / 2u; reach > 0u; reach /= 2u) {
    if (thread < reach) { partial[thread] += partial[thread + reach]; }
    workgroupBarrier();
  }
  let weightSum = partial[0];

  // Weighted values: each team takes every TEAMS-th key.
  let lane = thread % LANES;
  let team = thread / LANES;
  for (var firstVector = 0u; firstVector < VECTORS; firstVector += LANES) {
    let vector = firstVector + lane;
    var result = vec4f();
    if (team < TEAMS && vector < VECTORS) {
      for (var index = first + team; index < end; index += TEAMS) {
        result += weights[index - first] * value[valueStart + keyRow(index, head) * params.valueRowStride + vector];
      }
    }
    teamResults[thread] = result;
    workgroupBarrier();
    if (team == 0u && vector < VECTORS && isItem) {
      for (var other = 1u; other < TEAMS; other++) { result += teamResults[other * LANES + lane]; }
      for (var c = 0u; c < 4u; c++) {
        let channel = 4u * vector + c;
        if (WHOLE) {
          if (channel < params.outChannels) {
            out[params.outOffset + head * params.outHeadStride + row * params.outRowStride + channel] =
              select(0.0, result[c] / weightSum, weightSum > 0.0);
          }
        } else {
          spanResults[item * (4u * VECTORS + 2u) + channel] = result[c];
        }
      }
    }
    workgroupBarrier();
  }
  if (thread == 0u && isItem) {
    if (WHOLE && params.hasLogSumExp == 1u) {
      var bits = NEGATIVE_INFINITY_BITS;
      if (weightSum > 0.0) { bits = bitcast<u32>(maximum + log(weightSum)); }
      logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + row] = bits;
    }
    if (!WHOLE) {
      spanResults[item * (4u * VECTORS + 2u) + 4u * VECTORS] = maximum;
      spanResults[item * (4u * VECTORS + 2u) + 4u * VECTORS + 1u] = weightSum;
    }
  }
}
