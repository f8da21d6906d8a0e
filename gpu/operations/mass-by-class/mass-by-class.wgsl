// Attention mass by class of key, from probabilities already computed: out[grouping, h, i, c] = Σ over keys t of class c of
// probabilities[h, i, t], for query rows [firstRow, firstRow + rows) of the n.
//
// Shapes     probabilities dense [H, rows, m], 0 where nothing is seen; classOf [groupings, sets, m],
//            with BY_ROW [groupings, sets, n, m]; out [groupings, H, n, classes].
// Constants  BY_ROW: every query row has classes of its own.
// Grid       one thread per query head, grouping, four classes and four rows (rows fastest), 64 a workgroup, linear.
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
@group(0) @binding(1) var<storage, read> probabilities: array<f32>;
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
  let rowGroups = (params.rows + 3u) / 4u;
  let firstRow = item % rowGroups * 4u;
  let firstClass = item / rowGroups % quarters * 4u;
  let grouping = item / rowGroups / quarters % params.groupings;
  let head = item / rowGroups / quarters / params.groupings;
  if (head >= params.heads) { return; }
  // Rows beyond the last repeat it and are not stored.
  let rows = min(vec4u(firstRow) + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1u));
  let probabilityStarts = (head * params.rows + rows) * params.keyRows;
  let ofHead = grouping * params.sets + head / params.headsPerSet;
  let classStarts = select(vec4u(ofHead), ofHead * params.queryRows + params.firstRow + rows, BY_ROW) * params.keyRows;
  let classes = vec4u(firstClass) + vec4u(0u, 1u, 2u, 3u);

  var totals = array<vec4f, 4>();
  for (var first = 0u; first < params.keyRows; first += 64u) {
    var sums0 = vec4f();
    var sums1 = vec4f();
    var sums2 = vec4f();
    var sums3 = vec4f();
    for (var t = first; t < min(first + 64u, params.keyRows); t++) {
      let isOfClass = select(vec4f(), vec4f(1.0), classes == vec4u(classOf[classStarts.x + t]));
      sums0 += probabilities[probabilityStarts.x + t] * isOfClass;
      if (BY_ROW) {
        sums1 += probabilities[probabilityStarts.y + t] * select(vec4f(), vec4f(1.0), classes == vec4u(classOf[classStarts.y + t]));
        sums2 += probabilities[probabilityStarts.z + t] * select(vec4f(), vec4f(1.0), classes == vec4u(classOf[classStarts.z + t]));
        sums3 += probabilities[probabilityStarts.w + t] * select(vec4f(), vec4f(1.0), classes == vec4u(classOf[classStarts.w + t]));
      } else {
        sums1 += probabilities[probabilityStarts.y + t] * isOfClass;
        sums2 += probabilities[probabilityStarts.z + t] * isOfClass;
        sums3 += probabilities[probabilityStarts.w + t] * isOfClass;
      }
    }
    totals[0] += sums0;
    totals[1] += sums1;
    totals[2] += sums2;
    totals[3] += sums3;
  }
  for (var r = 0u; r < min(4u, params.rows - firstRow); r++) {
    let row = params.firstRow + firstRow + r;
    let outStart = ((grouping * params.heads + head) * params.queryRows + row) * params.classes;
    for (var c = 0u; c < min(4u, params.classes - firstClass); c++) { out[outStart + firstClass + c] = totals[r][c]; }
  }
}
