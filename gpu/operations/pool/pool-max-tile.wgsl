// out[r, j] = the largest input[r, w] with |w − j| ≤ radius, as in `pool-max.wgsl`, for GPUs and windows of many entries.
//
// Shapes     input and out [rows, length]; row r has firstLength + r entries at most, out is −∞ beyond.
// Grid       one workgroup per row and `outputs` entries of it, linear.
// Equals     `pool` of cpu.ts with kind 'max', exactly: floats are compared as integers (order.wgsl).
//
// A workgroup keeps its entries and `radius` more on both sides. Maxima over spans of 1, 2, 4, … entries follow from one
// another; a window is covered by two of the longest that fits it.

struct Params {
  rows: u32,
  length: u32,
  firstLength: u32,
  radius: u32,
  /// TILE − 2 · radius.
  outputs: u32,
  inputOffset: u32,
  inputRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const THREADS = 256u;
const PER_THREAD = 4u;
const TILE = THREADS * PER_THREAD;

var<workgroup> maxima: array<u32, TILE>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let tiles = (params.length + params.outputs - 1u) / params.outputs;
  let item = workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.rows * tiles) { return; }
  let row = item / tiles;
  let first = item % tiles * params.outputs;
  let length = min(params.length, params.firstLength + row);

  var own = array<u32, PER_THREAD>();
  for (var i = 0u; i < PER_THREAD; i++) {
    // Entry of the row, `radius` too large.
    let entry = first + i * THREADS + thread;
    own[i] = LOWEST;
    if (entry >= params.radius && entry < length + params.radius) {
      own[i] = ordered(input[params.inputOffset + row * params.inputRowStride + entry - params.radius]);
    }
    maxima[i * THREADS + thread] = own[i];
  }
  workgroupBarrier();
  let window = 2u * params.radius + 1u;
  var span = 1u;
  for (; 2u * span <= window; span *= 2u) {
    for (var i = 0u; i < PER_THREAD; i++) {
      own[i] = max(own[i], maxima[min(i * THREADS + thread + span, TILE - 1u)]);
    }
    workgroupBarrier();
    for (var i = 0u; i < PER_THREAD; i++) { maxima[i * THREADS + thread] = own[i]; }
    workgroupBarrier();
  }
  for (var i = 0u; i < PER_THREAD; i++) {
    let at = i * THREADS + thread;
    if (at < params.outputs && first + at < params.length) {
      let largest = max(own[i], maxima[at + window - span]);
      let isInRow = first + at < length;
      out[params.outOffset + row * params.outRowStride + first + at] = unordered(select(LOWEST, largest, isInRow));
    }
  }
}
