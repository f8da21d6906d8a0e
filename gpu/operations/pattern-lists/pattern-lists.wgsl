// The keys that columns, diagonals and blocks show each of consecutive queries (MInference, arXiv 2407.02490), ascending.
//
// Shapes     columns, diagonals [heads, at most columnCount | diagonalCount], blocks [rows · heads, at most blockCount],
//            out [heads · queries, at most count]; counts, in the buffer of out, one a list.
// Grid       one workgroup of THREADS threads per list, linear.
// Equals     `patternLists` of cpu.ts, exactly.
//
// A thread has a stretch of the keys up to the query, and walks through the three ascending lists at once, first to count what is in its
// stretch, then, knowing what those before it have, to write it.
//
// Constants  THREADS: as workgroup-scan.wgsl has it. HAS_COLUMN_COUNTS, HAS_DIAGONAL_COUNTS, HAS_BLOCK_COUNTS: lists have lengths of their own.

struct Params {
  heads: u32,
  queries: u32,
  headStride: u32,
  queryStride: u32,
  firstQuery: u32,
  anchor: u32,
  blockTokens: u32,
  columnCount: u32,
  columnOffset: u32,
  columnRowStride: u32,
  columnCountsOffset: u32,
  diagonalCount: u32,
  diagonalOffset: u32,
  diagonalRowStride: u32,
  diagonalCountsOffset: u32,
  blockCount: u32,
  blockOffset: u32,
  blockRowStride: u32,
  blockCountsOffset: u32,
  outOffset: u32,
  outRowStride: u32,
  countsOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> diagonals: array<u32>;
@group(0) @binding(3) var<storage, read> blocks: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;

const NONE = 0xffffffffu;

/// The lists of a query: where they begin, where they end.
struct Lists {
  query: u32,
  columns: vec2u,
  diagonals: vec2u,
  blocks: vec2u,
}

/// Where a walk stands in each.
struct Place {
  column: u32,
  diagonal: u32,
  block: u32,
}

/// The first place whose key is `least` or later.
fn placeOf(lists: Lists, least: u32) -> Place {
  var place = Place(lists.columns.x, lists.diagonals.x, lists.blocks.x);
  var end = lists.columns.y;
  while (place.column < end) {
    let middle = (place.column + end) / 2u;
    if (columns[middle] < least) { place.column = middle + 1u; } else { end = middle; }
  }
  end = lists.diagonals.y;
  while (place.diagonal < end) {
    let middle = (place.diagonal + end) / 2u;
    if (diagonals[middle] + lists.query < least + params.anchor) { place.diagonal = middle + 1u; } else { end = middle; }
  }
  end = lists.blocks.y;
  while (place.block < end) {
    let middle = (place.block + end) / 2u;
    if ((blocks[middle] + 1u) * params.blockTokens <= least) { place.block = middle + 1u; } else { end = middle; }
  }
  return place;
}

/// The first key that is `least` or later, NONE behind the last; goes on to where it stands.
fn nextKey(lists: Lists, place: ptr<function, Place>, least: u32) -> u32 {
  var key = NONE;
  while ((*place).column < lists.columns.y && columns[(*place).column] < least) { (*place).column++; }
  if ((*place).column < lists.columns.y) { key = columns[(*place).column]; }
  while ((*place).diagonal < lists.diagonals.y
    && diagonals[(*place).diagonal] + lists.query < least + params.anchor) { (*place).diagonal++; }
  if ((*place).diagonal < lists.diagonals.y) {
    key = min(key, diagonals[(*place).diagonal] + lists.query - params.anchor);
  }
  while ((*place).block < lists.blocks.y && (blocks[(*place).block] + 1u) * params.blockTokens <= least) { (*place).block++; }
  if ((*place).block < lists.blocks.y) { key = min(key, max(least, blocks[(*place).block] * params.blockTokens)); }
  return key;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let each = workgroup.y * workgroups.x + workgroup.x;
  if (each >= params.heads * params.queries) { return; }
  let head = each / params.queries;
  let query = params.firstQuery + each % params.queries;
  let list = head * params.headStride + each % params.queries * params.queryStride;
  let row = query / params.blockTokens * params.heads + head;
  var length = vec3u(params.columnCount, params.diagonalCount, params.blockCount);
  if (HAS_COLUMN_COUNTS) { length.x = min(length.x, columns[params.columnCountsOffset + head]); }
  if (HAS_DIAGONAL_COUNTS) { length.y = min(length.y, diagonals[params.diagonalCountsOffset + head]); }
  if (HAS_BLOCK_COUNTS) { length.z = min(length.z, blocks[params.blockCountsOffset + row]); }
  let start = vec3u(
    params.columnOffset + head * params.columnRowStride,
    params.diagonalOffset + head * params.diagonalRowStride,
    params.blockOffset + row * params.blockRowStride,
  );
  let end = start + length;
  let lists = Lists(query, vec2u(start.x, end.x), vec2u(start.y, end.y), vec2u(start.z, end.z));

  let stretch = query / THREADS + 1u;
  let least = thread * stretch;
  let stretchEnd = min(least + stretch, query + 1u);
  let first = placeOf(lists, least);
  var count = 0u;
  var place = first;
  for (var key = nextKey(lists, &place, least); key < stretchEnd; key = nextKey(lists, &place, key + 1u)) { count++; }
  let upTo = sumUpTo(thread, count);
  if (thread == THREADS - 1u) { out[params.countsOffset + list] = upTo; }
  var at = params.outOffset + list * params.outRowStride + upTo - count;
  place = first;
  for (var key = nextKey(lists, &place, least); key < stretchEnd; key = nextKey(lists, &place, key + 1u)) {
    out[at] = key;
    at++;
  }
}
