// Lists of segments as lists of what is in them: indexBase + segment · segmentLength + [0, segmentLength), as far as below `end`.
//
// Shapes     segments [sets, at most segmentCount], out [sets, at most count]; counts, in the buffer of out, one a list.
// Grid       one thread per entry that a list may have, 64 a workgroup, linear.
// Equals     `expandList` of cpu.ts, exactly.
//
// The end is one more for every setsPerEnd lists. Segments are ascending, so that only the last of those that begin before `end` can be cut: entry k is in segment
// ⌊k / segmentLength⌋ of its list, and the entry behind which there is none says how long the list is.
//
// Constants  HAS_COUNTS: lists of segments have lengths of their own.

struct Params {
  sets: u32,
  count: u32,
  segmentCount: u32,
  segmentLength: u32,
  indexBase: u32,
  end: u32,
  setsPerEnd: u32,
  segmentsOffset: u32,
  segmentsRowStride: u32,
  segmentCountsOffset: u32,
  outOffset: u32,
  outRowStride: u32,
  countsOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> segments: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

/// The index that entry k of a list has, `end` where there is none.
fn indexAt(list: u32, length: u32, end: u32, k: u32) -> u32 {
  let place = k / params.segmentLength;
  if (k >= params.count || place >= length) { return end; }
  let segment = segments[params.segmentsOffset + list * params.segmentsRowStride + place];
  return min(end, params.indexBase + segment * params.segmentLength + k % params.segmentLength);
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let list = element / params.count;
  let k = element % params.count;
  if (list >= params.sets) { return; }
  var length = params.segmentCount;
  if (HAS_COUNTS) { length = min(length, segments[params.segmentCountsOffset + list]); }
  let end = params.end + list / params.setsPerEnd;
  let index = indexAt(list, length, end, k);
  if (index < end) {
    out[params.outOffset + list * params.outRowStride + k] = index;
    if (indexAt(list, length, end, k + 1u) == end) { out[params.countsOffset + list] = k + 1u; }
  } else if (k == 0u) {
    out[params.countsOffset + list] = 0u;
  }
}
