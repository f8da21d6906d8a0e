// Attention received by listed keys, per query head: out[h, j] = Σ over the query rows i of exp(score − logSumExp_i), t
// being entry j of the list of head h; 0 beyond the end of a list. Every query sees all of them.
//
// Shapes     query [H, n, d], key [G, m, d], their d, offsets and strides in vectors of four; logSumExp [H, n];
//            out dense [H, listCount].
// Grid       one thread per query head and entry (entries fastest), 64 a workgroup, linear from firstItem. Rows are taken four at
//            a time.
// Precision  32-bit sums in the order of the rows.
// Equals     `accumulatedAttention` of cpu.ts, of a list, before its sum over heads.
//
// Constants  RAGGED: lists have lengths of their own.

struct Params {
  firstItem: u32,
  endItem: u32,
  queryRows: u32,
  keyRows: u32,
  headsPerGroup: u32,
  vectors: u32,
  scale: f32,
  softCap: f32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  logSumExpOffset: u32,
  logSumExpHeadStride: u32,
  listOffset: u32,
  listCount: u32,
  listRowStride: u32,
  headsPerSet: u32,
  countsOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(4) var<storage, read> list: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  if (item >= params.endItem) { return; }
  let entry = item % params.listCount;
  let head = item / params.listCount;
  let place = head / params.headsPerSet;
  if (RAGGED) {
    if (entry >= list[params.countsOffset + place]) {
      out[item] = 0.0;
      return;
    }
  }
  let keyRow = min(list[params.listOffset + place * params.listRowStride + entry], params.keyRows - 1u);
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride + keyRow * params.keyRowStride;
  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let scalarStart = params.logSumExpOffset + head * params.logSumExpHeadStride;
  var sum = 0.0;
  for (var row = 0u; row < params.queryRows; row += 4u) {
    // Rows beyond the last repeat it and are not added.
    let rows = min(vec4u(row) + vec4u(0u, 1u, 2u, 3u), vec4u(params.queryRows - 1u));
    let starts = queryStart + rows * params.queryRowStride;
    var scores = vec4f();
    for (var v = 0u; v < params.vectors; v++) {
      let k = key[keyStart + v];
      scores += vec4f(
        dot(query[starts.x + v], k),
        dot(query[starts.y + v], k),
        dot(query[starts.z + v], k),
        dot(query[starts.w + v], k));
    }
    let ofRows = capped(params.scale * scores);
    for (var r = 0u; r < min(4u, params.queryRows - row); r++) {
      sum += exp(ofRows[r] - logSumExp[scalarStart + row + r]);
    }
  }
  out[item] = sum;
}
