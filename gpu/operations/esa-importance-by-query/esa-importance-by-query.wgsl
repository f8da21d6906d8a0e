// ESA Eq. 4 (arXiv 2502.14477) of queries that are each a block of one: every row of the scores less the largest of its entries,
// in place. Row i has firstLength + i entries at most; beyond them stands LOWEST, which is LOWEST_SCORE of gpu/ops.ts.
//
// Shapes     scores [rows, length].
// Grid       one workgroup of THREADS threads per row, linear.
// Precision  32-bit. A query's best key gets exactly 0.
// Equals     `esaImportanceByQuery` of cpu.ts, the scores being those of matmul.
//
// Constants  THREADS: a multiple of GROUP, threads whose maxima one of them compares.

struct Params {
  rows: u32,
  length: u32,
  firstLength: u32,
  offset: u32,
  rowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;

const LOWEST = -3.4e38;

var<workgroup> maxima: array<f32, THREADS>;

/// The largest of `count` maxima that are `step` apart.
fn largestOf(first: u32, count: u32, step: u32) -> f32 {
  var largest = maxima[first];
  for (var i = 1u; i < count; i++) { largest = max(largest, maxima[first + i * step]); }
  return largest;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  // The row is the same for the whole workgroup.
  if (row >= params.rows) { return; }
  let start = params.offset + row * params.rowStride;
  let length = min(params.length, params.firstLength + row);
  var largest = LOWEST;
  for (var m = thread; m < length; m += THREADS) { largest = max(largest, scores[start + m]); }
  maxima[thread] = largest;
  workgroupBarrier();
  if (GROUP < THREADS) {
    // Threads side by side read side by side.
    if (thread < GROUP) { maxima[thread] = largestOf(thread, THREADS / GROUP, GROUP); }
    workgroupBarrier();
  }
  largest = largestOf(0u, GROUP, 1u);
  for (var m = thread; m < params.length; m += THREADS) {
    var relative = LOWEST;
    if (m < length) { relative = scores[start + m] - largest; }
    scores[start + m] = relative;
  }
}
