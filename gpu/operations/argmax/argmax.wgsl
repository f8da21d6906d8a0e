// out[outOffset + r] = index of the largest input[r, :], the lower index at a tie. NaN is never chosen; a row of nothing but
// NaN and −∞ gives 0.
//
// Shapes     input [rows, channels] as vectors of four: a row may start anywhere in its first one.
// Grid       one workgroup of THREADS threads per row, linear; a thread takes every THREADS-th vector, ascending.
// Equals     `argmax` of cpu.ts, exactly: floats are compared as integers of the same order.
//
// Constants  THREADS: a multiple of GROUP, threads whose results one of them compares.

struct Params {
  rows: u32,
  channels: u32,
  inputOffset: u32,
  inputRowStride: u32,
  outOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const LOWEST = 0x007fffffu;

/// The largest order seen, and where: before the first, order LOWEST at index 0.
struct Best {
  order: u32,
  index: u32,
}

var<workgroup> bests: array<Best, THREADS>;

/// Integers in the order of the floats with these bits: NaN as −∞, −0 as +0.
fn ordered(bits: vec4u) -> vec4u {
  let magnitude = bits & vec4u(0x7fffffffu);
  var order = select(bits | vec4u(0x80000000u), ~bits, bits >= vec4u(0x80000000u));
  order = select(order, vec4u(0x80000000u), magnitude == vec4u());
  return select(order, vec4u(LOWEST), magnitude > vec4u(0x7f800000u));
}

fn better(a: Best, b: Best) -> Best {
  if (b.order > a.order || (b.order == a.order && b.index < a.index)) { return b; }
  return a;
}

/// The best of `count` results that are `step` apart.
fn bestOf(first: u32, count: u32, step: u32) -> Best {
  var best = bests[first];
  for (var i = 1u; i < count; i++) { best = better(best, bests[first + i * step]); }
  return best;
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
  let start = params.inputOffset + row * params.inputRowStride;
  let first = start % 4u;
  let end = first + params.channels;
  var best = Best(LOWEST, 0u);
  for (var vector = thread; 4u * vector < end; vector += THREADS) {
    let entries = 4u * vector + vec4u(0u, 1u, 2u, 3u);
    // Elements beside the row are below every number.
    let isInRow = (entries >= vec4u(first)) & (entries < vec4u(end));
    let order = select(vec4u(), ordered(input[start / 4u + vector]), isInRow);
    for (var c = 0u; c < 4u; c++) {
      if (order[c] > best.order) { best = Best(order[c], entries[c] - first); }
    }
  }
  bests[thread] = best;
  workgroupBarrier();
  if (GROUP < THREADS) {
    // Threads side by side read side by side.
    if (thread < GROUP) { bests[thread] = bestOf(thread, THREADS / GROUP, GROUP); }
    workgroupBarrier();
  }
  if (thread == 0u) { out[params.outOffset + row] = bestOf(0u, GROUP, 1u).index; }
}
