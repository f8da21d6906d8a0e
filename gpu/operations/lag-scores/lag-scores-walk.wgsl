// LagKV (arXiv 2504.04704) Eqs. 5–10, as in `lag-scores.wgsl`, for GPUs: reads every partition once.
//
// Shapes     key and value [G, ≥ (partitions + 1)·L, d] as vectors of four; out [G, partitions·L]; degenerate [1].
// Grid       one workgroup of THREADS threads per head and run of consecutive partitions, linear. Half of the threads take
//            keys, half values; LANES threads side by side share the channels of a token.
// Precision  32-bit; the deviation from the differences to the mean.
// Equals     `lagScores` of cpu.ts.
//
// A run is walked from its end: a partition's vectors are scaled by the ranges of the one after it, and give the ranges for
// the one before it. The next vectors are asked for before the threads wait for each other.
//
// Constants  LANES: a power of two up to 64, at least the vectors of a token. CAPACITY: at least the tokens of a partition.
//            HAS_DEGENERATE.

struct Params {
  heads: u32,
  partitions: u32,
  lagTokens: u32,
  runPartitions: u32,
  keyVectors: u32,
  valueVectors: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  valueOffset: u32,
  valueHeadStride: u32,
  valueRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
  keyFactor: f32,
  valueFactor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> key: array<vec4f>;
@group(0) @binding(2) var<storage, read> value: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> degenerate: array<atomic<u32>>;

const THREADS = 128u;
const SIDE = THREADS / 2u;
/// Tokens whose vectors the threads of a side load at once, and how many of these a thread has in flight.
const ROWS = SIDE / LANES;
const BATCH = 4u;
const TILE = ROWS * BATCH;
const SMALLEST_RANGE = 1e-12;
const HIGHEST = 3.4e38;

var<workgroup> lows: array<vec4f, THREADS>;
var<workgroup> highs: array<vec4f, THREADS>;
var<workgroup> laneTerms: array<vec4f, THREADS>;
/// Deviations of the tokens, by side.
var<workgroup> deviations: array<f32, 2u * CAPACITY>;
/// Largest deviation and sum of exponentials of the tokens that a row of threads has seen, by side.
var<workgroup> exponentials: array<vec2f, 2u * ROWS>;

/// What a thread reads: one lane of keys or values.
struct View {
  isValue: bool,
  isActive: bool,
  /// First vector of the head in this lane.
  start: u32,
  rowStride: u32,
  /// Row of the thread within its side.
  row: u32,
}

var<private> view: View;
var<private> tile: array<vec4f, BATCH>;
var<private> low: vec4f;
var<private> high: vec4f;

fn load(token: u32) -> vec4f {
  let at = view.start + token * view.rowStride;
  if (view.isValue) { return value[at]; }
  return key[at];
}

/// Loads the thread's vectors of the tile that starts at token `start` of this partition.
fn loadTile(part: u32, start: u32) {
  for (var b = 0u; b < BATCH; b++) {
    let token = start + b * ROWS + view.row;
    if (view.isActive && token < params.lagTokens) { tile[b] = load(part * params.lagTokens + token); }
  }
}

fn includeTile(start: u32) {
  for (var b = 0u; b < BATCH; b++) {
    if (start + b * ROWS + view.row < params.lagTokens) {
      low = min(low, tile[b]);
      high = max(high, tile[b]);
    }
  }
}

fn resetRange() {
  low = vec4f(HIGHEST);
  high = vec4f(-HIGHEST);
}

/// The sum over the threads that share this one's tokens.
fn sumOverLanes(thread: u32, term: vec4f) -> vec4f {
  // The compiler does not see that the argument is below THREADS anyway, and would check every index.
  let own = thread % THREADS;
  let first = own / LANES * LANES;
  laneTerms[own] = term;
  workgroupBarrier();
  var sum = vec4f();
  for (var lane = 0u; lane < LANES; lane++) { sum += laneTerms[first + lane]; }
  workgroupBarrier();
  return sum;
}

/// Largest deviation and sum of exponentials over the partition's tokens.
fn mergeRows(side: u32) -> vec2f {
  let first = side % 2u * ROWS;
  var merged = exponentials[first];
  for (var r = 1u; r < ROWS; r++) {
    let other = exponentials[first + r];
    let highest = max(merged.x, other.x);
    merged = vec2f(highest, merged.y * exp(merged.x - highest) + other.y * exp(other.x - highest));
  }
  return merged;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let runs = (params.partitions + params.runPartitions - 1u) / params.runPartitions;
  let item = workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.heads * runs) { return; }
  let head = item / runs;
  let firstPartition = item % runs * params.runPartitions;
  let endPartition = min(firstPartition + params.runPartitions, params.partitions);

  let side = thread / SIDE;
  let lane = thread % LANES;
  let isValue = side == 1u;
  let vectors = select(params.keyVectors, params.valueVectors, isValue);
  view = View(
    isValue,
    lane < vectors,
    select(params.keyOffset + head * params.keyHeadStride, params.valueOffset + head * params.valueHeadStride, isValue) + lane,
    select(params.keyRowStride, params.valueRowStride, isValue),
    thread % SIDE / LANES,
  );
  let channels = f32(4u * vectors);

  resetRange();
  for (var start = 0u; start < params.lagTokens; start += TILE) {
    loadTile(endPartition, start);
    includeTile(start);
  }
  loadTile(endPartition - 1u, 0u);
  for (var left = endPartition; left > firstPartition; left--) {
    let current = left - 1u;
    // The ranges of the partition that was read last.
    lows[thread] = low;
    highs[thread] = high;
    workgroupBarrier();
    for (var r = 0u; r < ROWS; r++) {
      low = min(low, lows[side * SIDE + r * LANES + lane]);
      high = max(high, highs[side * SIDE + r * LANES + lane]);
    }
    // Lanes beyond the channels add nothing.
    let minimum = low;
    let scale = select(vec4f(), 1.0 / max(high - low, vec4f(SMALLEST_RANGE)), view.isActive);
    if (HAS_DEGENERATE && view.row == 0u && view.isActive) {
      let vanishing = vec4u((high - low) < vec4f(SMALLEST_RANGE));
      let count = vanishing.x + vanishing.y + vanishing.z + vanishing.w;
      if (count > 0u) { atomicAdd(&degenerate[0], count); }
    }
    resetRange();

    var highest = -HIGHEST;
    var sum = 0.0;
    for (var start = 0u; start < params.lagTokens; start += TILE) {
      includeTile(start);
      let a = (tile[0] - minimum) * scale;
      let b = (tile[1] - minimum) * scale;
      let c = (tile[2] - minimum) * scale;
      let d = (tile[3] - minimum) * scale;
      if (start + TILE < params.lagTokens) {
        loadTile(current, start + TILE);
      } else if (current > firstPartition) {
        loadTile(current - 1u, 0u);
      }
      // Of the four tokens.
      let ones = vec4f(select(0.0, 1.0, view.isActive));
      let mean = sumOverLanes(thread, vec4f(dot(a, ones), dot(b, ones), dot(c, ones), dot(d, ones))) / channels;
      let da = a - mean.x * ones;
      let db = b - mean.y * ones;
      let dc = c - mean.z * ones;
      let dd = d - mean.w * ones;
      let squares = sumOverLanes(thread, vec4f(dot(da, da), dot(db, db), dot(dc, dc), dot(dd, dd)));
      let token = vec4u(start + view.row) + vec4u(0u, ROWS, 2u * ROWS, 3u * ROWS);
      let isToken = token < vec4u(params.lagTokens);
      let deviation = select(vec4f(-HIGHEST), sqrt(squares / (channels - 1.0)), isToken);
      if (lane == 0u) {
        if (isToken.x) { deviations[side * CAPACITY + token.x] = deviation.x; }
        if (isToken.y) { deviations[side * CAPACITY + token.y] = deviation.y; }
        if (isToken.z) { deviations[side * CAPACITY + token.z] = deviation.z; }
        if (isToken.w) { deviations[side * CAPACITY + token.w] = deviation.w; }
      }
      let before = highest;
      highest = max(max(highest, max(deviation.x, deviation.y)), max(deviation.z, deviation.w));
      let terms = exp(deviation - vec4f(highest));
      sum = sum * exp(before - highest) + terms.x + terms.y + terms.z + terms.w;
    }
    if (lane == 0u) { exponentials[side * ROWS + view.row] = vec2f(highest, sum); }
    workgroupBarrier();
    let keys = mergeRows(0u);
    let values = mergeRows(1u);
    for (var t = thread; t < params.lagTokens; t += THREADS) {
      out[params.outOffset + head * params.outRowStride + current * params.lagTokens + t] =
        params.keyFactor * exp(deviations[t] - keys.x) / keys.y +
        params.valueFactor * exp(deviations[CAPACITY + t] - values.x) / values.y;
    }
  }
}
