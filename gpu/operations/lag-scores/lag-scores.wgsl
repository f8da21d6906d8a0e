// LagKV (arXiv 2504.04704) Eqs. 5–10: partition p of L tokens against partition p + 1. With Z̄ = (Z − min) / max(max − min,
// 1e-12) per channel of the next partition and σ = deviation over the channels (ddof 1), score = softmax over the partition
// of σ; out = keyFactor · score of K + valueFactor · score of V.
//
// Shapes     key and value [G, ≥ (partitions + 1)·L, d], any strides; deviations [2, G, partitions·L]: scratch;
//            out [G, partitions·L]; degenerate [1]: counts the channels whose range is below 1e-12.
// Grid       one workgroup of 64 threads per head and partition, linear. Threads share the channels for the ranges, then
//            each takes every 64th token.
// Precision  32-bit; the deviation from the differences to the mean.
// Equals     `lagScores` of cpu.ts.
//
// Constants  CAPACITY: at least the channels of key and of value; HAS_DEGENERATE.

struct Params {
  heads: u32,
  partitions: u32,
  lagTokens: u32,
  keyChannels: u32,
  valueChannels: u32,
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
@group(0) @binding(1) var<storage, read> key: array<f32>;
@group(0) @binding(2) var<storage, read> value: array<f32>;
@group(0) @binding(3) var<storage, read_write> deviations: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> degenerate: array<atomic<u32>>;

const THREADS = 64u;
const SMALLEST_RANGE = 1e-12;
const LOWEST = -3.4e38;

var<workgroup> minima: array<f32, CAPACITY>;
var<workgroup> ranges: array<f32, CAPACITY>;
var<workgroup> partial: array<f32, THREADS>;

/// One of key and value, as the functions below see it.
struct View {
  isValue: bool,
  channels: u32,
  /// First element of the partition.
  start: u32,
  rowStride: u32,
  /// First deviation of the partition.
  scratch: u32,
}

fn load(isValue: bool, at: u32) -> f32 {
  if (isValue) { return value[at]; }
  return key[at];
}

fn maximumOverThreads(thread: u32, own: f32) -> f32 {
  partial[thread] = own;
  workgroupBarrier();
  var result = LOWEST;
  for (var other = 0u; other < THREADS; other++) { result = max(result, partial[other]); }
  workgroupBarrier();
  return result;
}

fn sumOverThreads(thread: u32, own: f32) -> f32 {
  partial[thread] = own;
  workgroupBarrier();
  var result = 0.0;
  for (var other = 0u; other < THREADS; other++) { result += partial[other]; }
  workgroupBarrier();
  return result;
}

/// Minima and ranges of the channels of the next partition.
fn measureRanges(thread: u32, view: View) {
  let next = view.start + params.lagTokens * view.rowStride;
  var vanishing = 0u;
  for (var c = thread; c < view.channels; c += THREADS) {
    var low = load(view.isValue, next + c);
    var high = low;
    for (var i = 1u; i < params.lagTokens; i++) {
      let x = load(view.isValue, next + i * view.rowStride + c);
      low = min(low, x);
      high = max(high, x);
    }
    minima[c] = low;
    ranges[c] = max(high - low, SMALLEST_RANGE);
    vanishing += u32(high - low < SMALLEST_RANGE);
  }
  if (HAS_DEGENERATE && vanishing > 0u) { atomicAdd(&degenerate[0], vanishing); }
  workgroupBarrier();
}

/// Stores the deviation of every token; returns maximum and sum of exponentials of the partition.
fn measureDeviations(thread: u32, view: View) -> vec2f {
  measureRanges(thread, view);
  var highest = LOWEST;
  for (var i = thread; i < params.lagTokens; i += THREADS) {
    let row = view.start + i * view.rowStride;
    var mean = 0.0;
    for (var c = 0u; c < view.channels; c++) { mean += (load(view.isValue, row + c) - minima[c]) / ranges[c]; }
    mean /= f32(view.channels);
    var squares = 0.0;
    for (var c = 0u; c < view.channels; c++) {
      let difference = (load(view.isValue, row + c) - minima[c]) / ranges[c] - mean;
      squares += difference * difference;
    }
    let deviation = sqrt(squares / f32(view.channels - 1u));
    deviations[view.scratch + i] = deviation;
    highest = max(highest, deviation);
  }
  highest = maximumOverThreads(thread, highest);
  var sum = 0.0;
  for (var i = thread; i < params.lagTokens; i += THREADS) { sum += exp(deviations[view.scratch + i] - highest); }
  return vec2f(highest, sumOverThreads(thread, sum));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.heads * params.partitions) { return; }
  let head = item / params.partitions;
  let firstToken = item % params.partitions * params.lagTokens;
  let scratch = item * params.lagTokens;
  let keyView = View(
    false,
    params.keyChannels,
    params.keyOffset + head * params.keyHeadStride + firstToken * params.keyRowStride,
    params.keyRowStride,
    scratch,
  );
  let valueView = View(
    true,
    params.valueChannels,
    params.valueOffset + head * params.valueHeadStride + firstToken * params.valueRowStride,
    params.valueRowStride,
    scratch + params.heads * params.partitions * params.lagTokens,
  );
  let keyStatistics = measureDeviations(thread, keyView);
  let valueStatistics = measureDeviations(thread, valueView);
  // A thread reads only deviations that it wrote itself.
  for (var i = thread; i < params.lagTokens; i += THREADS) {
    let keyScore = exp(deviations[keyView.scratch + i] - keyStatistics.x) / keyStatistics.y;
    let valueScore = exp(deviations[valueView.scratch + i] - valueStatistics.x) / valueStatistics.y;
    out[params.outOffset + head * params.outRowStride + firstToken + i] =
      params.keyFactor * keyScore + params.valueFactor * valueScore;
  }
}
