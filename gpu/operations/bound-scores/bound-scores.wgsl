// out[h·n + i, p] = Σ_c max(q_c · minimum_pc, q_c · maximum_pc): the largest product that a key within a page's bounds could have
// (Quest, arXiv 2406.10774).
//
// Shapes     query [H, queryRows, d], minimum and maximum [groups, pages, d], out [H · queryRows, pages]. Vectors, offsets and
//            strides of the inputs count vectors of four.
// Grid       one thread per page and ROWS query rows of a KV head, 64 a workgroup, linear: bounds are read once for several queries.
// Precision  32-bit sums in order of c.
// Equals     `boundScores` of cpu.ts. As no minimum is above its maximum, the sign of q_c says which of them is multiplied.
//
// Constants  ROWS: query rows of a KV head, all its heads', that a thread has. Rows beyond the end repeat the last and are not stored.
//            BY_QUERY: query i sees the first firstTokens + i of `key`, [groups, keyRows, d], whose pages of pageLength these are. The
//            page of the last of them is bounded by those that it sees, pages behind it have LOWEST, which is LOWEST_SCORE of gpu/ops.ts;
//            out is [queryRows · H, pages], the heads of a query together.

struct Params {
  groups: u32,
  headsPerGroup: u32,
  queryRows: u32,
  pages: u32,
  vectors: u32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  minimumOffset: u32,
  minimumHeadStride: u32,
  minimumRowStride: u32,
  maximumOffset: u32,
  maximumHeadStride: u32,
  maximumRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
  pageLength: u32,
  firstTokens: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> minimum: array<vec4f>;
@group(0) @binding(3) var<storage, read> maximum: array<vec4f>;
@group(0) @binding(4) var<storage, read> key: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

const LOWEST = -3.4e38;

/// The bound of keys [start, end) of a group for the query whose vectors begin at `queryStart`; NaN where one is.
fn boundOf(queryStart: u32, group: u32, start: u32, end: u32) -> f32 {
  let first = params.keyOffset + group * params.keyHeadStride + start * params.keyRowStride;
  var sum = 0.0;
  for (var v = 0u; v < params.vectors; v++) {
    let q = query[queryStart + v];
    var bound = key[first + v];
    for (var row = 1u; row < end - start; row++) {
      let value = key[first + row * params.keyRowStride + v];
      let isNaN = (bitcast<vec4u>(value) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
      bound = select(bound, value, isNaN | select(value > bound, value < bound, q < vec4f()));
    }
    sum += dot(q, bound);
  }
  return sum;
}

fn store(row: u32, page: u32, score: f32) {
  out[params.outOffset + row * params.outRowStride + page] = score;
}

/// Stores what a page has for a query of the `tokens` that it sees.
fn storeSeen(row: u32, page: u32, ofWhole: f32, tokens: u32, queryStart: u32, group: u32) {
  let start = page * params.pageLength;
  if (start >= tokens) {
    store(row, page, LOWEST);
  } else if (tokens < start + params.pageLength) {
    store(row, page, boundOf(queryStart, group, start, tokens));
  } else {
    store(row, page, ofWhole);
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let rows = params.headsPerGroup * params.queryRows;
  let blocks = (rows + ROWS - 1u) / ROWS;
  let page = element % params.pages;
  let block = element / params.pages % blocks;
  let group = element / params.pages / blocks;
  if (group >= params.groups) { return; }
  var starts = array<u32, ROWS>();
  for (var r = 0u; r < ROWS; r++) { // unrolled
    let row = min(block * ROWS + r, rows - 1u);
    let head = group * params.headsPerGroup + row / params.queryRows;
    starts[r] = params.queryOffset + head * params.queryHeadStride + row % params.queryRows * params.queryRowStride;
  }
  let low = params.minimumOffset + group * params.minimumHeadStride + page * params.minimumRowStride;
  let high = params.maximumOffset + group * params.maximumHeadStride + page * params.maximumRowStride;
  var sums = array<f32, ROWS>();
  for (var v = 0u; v < params.vectors; v++) {
    let smallest = minimum[low + v];
    let largest = maximum[high + v];
    for (var r = 0u; r < ROWS; r++) { // unrolled
      let q = query[starts[r] + v];
      sums[r] += dot(q, select(largest, smallest, q < vec4f()));
    }
  }
  for (var r = 0u; r < ROWS; r++) { // unrolled
    let row = block * ROWS + r;
    if (row < rows) {
      if (BY_QUERY) {
        let head = group * params.headsPerGroup + row / params.queryRows;
        let place = row % params.queryRows;
        let outRow = place * params.groups * params.headsPerGroup + head;
        storeSeen(outRow, page, sums[r], params.firstTokens + place, starts[r], group);
      } else {
        store(group * rows + row, page, sums[r]);
      }
    }
  }
}
