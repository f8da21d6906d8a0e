// Per score row the places whose score is above the threshold, ascending (Squeezed Attention, arXiv 2411.09688).
//
// Shapes     score [rows, length], out [rows, at most length]; counts, in the buffer of out, one a row.
// Grid       one workgroup of THREADS threads per row, linear.
// Equals     `listAbove` of cpu.ts, exactly.
//
// A thread has a stretch of the row, and goes through it twice: to count what is above, then, knowing what those before it have, to
// write it.
//
// Constants  THREADS: as workgroup-scan.wgsl has it.

struct Params {
  rows: u32,
  length: u32,
  threshold: f32,
  scoreOffset: u32,
  scoreRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
  countsOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> score: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  if (row >= params.rows) { return; }
  let start = params.scoreOffset + row * params.scoreRowStride;
  let stretch = (params.length + THREADS - 1u) / THREADS;
  let first = min(params.length, thread * stretch);
  let end = min(params.length, first + stretch);
  var count = 0u;
  for (var i = first; i < end; i++) { if (score[start + i] > params.threshold) { count++; } }
  let upTo = sumUpTo(thread, count);
  if (thread == THREADS - 1u) { out[params.countsOffset + row] = upTo; }
  var at = params.outOffset + row * params.outRowStride + upTo - count;
  for (var i = first; i < end; i++) {
    if (score[start + i] > params.threshold) {
      out[at] = i;
      at++;
    }
  }
}
