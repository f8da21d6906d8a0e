// Cuts the ascending list of a group, whose rows of `length` entries follow each other, into a list of each row, and counts them.
//
// Shapes     kept dense [groups, kept], out [groups · rowsPerGroup, at most kept]; counts, in the buffer of out, one a row.
// Grid       one thread per entry of kept, 64 a workgroup, linear.
// Equals     `topKOfGroups` of cpu.ts, exactly.
//
// A thread finds by bisection where the row of its entry begins in the list. That of the last entry of a row, in the list, counts
// it, and says 0 of the rows between it and the next.

struct Params {
  groups: u32,
  rowsPerGroup: u32,
  length: u32,
  kept: u32,
  indexBase: u32,
  outOffset: u32,
  outRowStride: u32,
  countsOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> kept: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

/// Number `at` of a group's entries, in its rows whatever went wrong before: a row beyond them would take long to be counted.
fn entryAt(start: u32, at: u32) -> u32 {
  return min(kept[start + at], params.rowsPerGroup * params.length - 1u);
}

/// How many of the entries before `end`, which begin at `start`, are below `value`.
fn entriesBelow(start: u32, end: u32, value: u32) -> u32 {
  var low = 0u;
  var high = end;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (kept[start + middle] < value) { low = middle + 1u; } else { high = middle; }
  }
  return low;
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let group = element / params.kept;
  if (group >= params.groups) { return; }
  let at = element % params.kept;
  let start = group * params.kept;
  let entry = entryAt(start, at);
  let row = entry / params.length;
  let before = entriesBelow(start, at, row * params.length);
  let firstRow = group * params.rowsPerGroup;
  out[params.outOffset + (firstRow + row) * params.outRowStride + at - before] =
    params.indexBase + entry - row * params.length;
  let isLast = at + 1u == params.kept;
  var next = params.rowsPerGroup;
  if (!isLast) { next = entryAt(start, at + 1u) / params.length; }
  if (next != row) {
    let counts = params.countsOffset + firstRow;
    out[counts + row] = at + 1u - before;
    for (var empty = row + 1u; empty < next; empty++) { out[counts + empty] = 0u; }
  }
  if (at == 0u) {
    for (var empty = 0u; empty < row; empty++) { out[params.countsOffset + firstRow + empty] = 0u; }
  }
}
