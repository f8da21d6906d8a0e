// Attention mass by group of key, from probabilities already computed: out[grouping, h, i, c] = Σ over keys t of group c of
// probabilities[h, i, t], for query rows [firstRow, firstRow + rows) of the n.
//
// Shapes     probabilities dense [H, rows, m], 0 where nothing is seen; groupOf [groupings, sets, m],
//            with BY_ROW [groupings, sets, n, m]; out [groupings, H, n, groups].
// Constants  BY_ROW: every query row has groups of its own.
// Grid       one thread per query head, grouping, four groups and four rows (rows fastest), 64 a workgroup, linear.
// Precision  32-bit sums, of 64 keys each first.
// Equals     `massByGroup` of cpu.ts.

struct Params {
  heads: u32,
  rows: u32,
  firstRow: u32,
  queryRows: u32,
  keyRows: u32,
  headsPerSet: u32,
  sets: u32,
  groupings: u32,
  groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> probabilities: array<f32>;
@group(0) @binding(2) var<storage, read> groupOf: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let quarters = (params.groups + 3u) / 4u;
  let rowGroups = (params.rows + 3u) / 4u;
  let firstRow = item % rowGroups * 4u;
  let firstGroup = item / rowGroups % quarters * 4u;
  let grouping = item / rowGroups / quarters % params.groupings;
  let head = item / rowGroups / quarters / params.groupings;
  if (head >= params.heads) { return; }
  // Rows beyond the last repeat it and are not stored.
  let rows = min(vec4u(firstRow) + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1u));
  let probabilityStarts = (head * params.rows + rows) * params.keyRows;
  let ofHead = grouping * params.sets + head / params.headsPerSet;
  let groupStarts = select(vec4u(ofHead), ofHead * params.queryRows + params.firstRow + rows, BY_ROW) * params.keyRows;
  let groups = vec4u(firstGroup) + vec4u(0u, 1u, 2u, 3u);

  var totals = array<vec4f, 4>();
  for (var first = 0u; first < params.keyRows; first += 64u) {
    var sums0 = vec4f();
    var sums1 = vec4f();
    var sums2 = vec4f();
    var sums3 = vec4f();
    for (var t = first; t < min(first + 64u, params.keyRows); t++) {
      let isOfGroup = select(vec4f(), vec4f(1.0), groups == vec4u(groupOf[groupStarts.x + t]));
      sums0 += probabilities[probabilityStarts.x + t] * isOfGroup;
      if (BY_ROW) {
        sums1 += probabilities[probabilityStarts.y + t] * select(vec4f(), vec4f(1.0), groups == vec4u(groupOf[groupStarts.y + t]));
        sums2 += probabilities[probabilityStarts.z + t] * select(vec4f(), vec4f(1.0), groups == vec4u(groupOf[groupStarts.z + t]));
        sums3 += probabilities[probabilityStarts.w + t] * select(vec4f(), vec4f(1.0), groups == vec4u(groupOf[groupStarts.w + t]));
      } else {
        sums1 += probabilities[probabilityStarts.y + t] * isOfGroup;
        sums2 += probabilities[probabilityStarts.z + t] * isOfGroup;
        sums3 += probabilities[probabilityStarts.w + t] * isOfGroup;
      }
    }
    totals[0] += sums0;
    totals[1] += sums1;
    totals[2] += sums2;
    totals[3] += sums3;
  }
  for (var r = 0u; r < min(4u, params.rows - firstRow); r++) {
    let row = params.firstRow + firstRow + r;
    let outStart = ((grouping * params.heads + head) * params.queryRows + row) * params.groups;
    for (var c = 0u; c < min(4u, params.groups - firstGroup); c++) { out[outStart + firstGroup + c] = totals[r][c]; }
  }
}
