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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> minimum: array<vec4f>;
@group(0) @binding(3) var<storage, read> maximum: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

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
    if (row < rows) { out[params.outOffset + (group * rows + row) * params.outRowStride + page] = sums[r]; }
  }
}
