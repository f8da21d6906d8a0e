// Attention mass by class of key, from weights already computed: out[grouping, h, i, c] = Σ over keys t of class c of
// weights[h, i, t], for query rows [firstRow, firstRow + rows) of the n.
//
// Shapes     weights dense [H, rows, m], 0 where nothing is seen; classOf [groupings, sets, m]; out [groupings, H, n, classes].
// Grid       one thread per query head, grouping, four classes and row (rows fastest), 64 a workgroup, linear.
// Precision  32-bit sums, of 64 keys each first.
// Equals     `massByClass` of gpu/cpu.

struct Params {
  heads: u32,
  rows: u32,
  firstRow: u32,
  queryRows: u32,
  keyRows: u32,
  headsPerSet: u32,
  sets: u32,
  groupings: u32,
  classes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> classOf: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let quarters = (params.classes + 3u) / 4u;
  let row = item % params.rows;
  let firstClass = item / params.rows % quarters * 4u;
  let grouping = item / params.rows / quarters % params.groupings;
  let head = item / params.rows / quarters / params.groupings;
  if (head >= params.heads) { return; }
  let weightStart = (head * params.rows + row) * params.keyRows;
  let classStart = (grouping * params.sets + head / params.headsPerSet) * params.keyRows;
  let classes = vec4u(firstClass) + vec4u(0u, 1u, 2u, 3u);

  var total = vec4f();
  for (var first = 0u; first < params.keyRows; first += 64u) {
    var sums = vec4f();
    for (var t = first; t < min(first + 64u, params.keyRows); t++) {
      sums += select(vec4f(), vec4f(weights[weightStart + t]), classes == vec4u(classOf[classStart + t]));
    }
    total += sums;
  }
  let outStart = ((grouping * params.heads + head) * params.queryRows + params.firstRow + row) * params.classes;
  for (var c = 0u; c < min(4u, params.classes - firstClass); c++) { out[outStart + firstClass + c] = total[c]; }
}
