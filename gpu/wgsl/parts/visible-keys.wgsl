// The keys that a block of queries sees: those of a list, then those of a range (`VisibleKeys` of gpu/arguments.ts). A part of kernels
// that bind `list: array<u32>` and whose `params` have the fields of `visibleParameters` and queryRows.
//
// Visible keys are numbered: first those of the list, then the range. A query row sees the first limit(row) of them; with a window,
// of the range only those from windowStart on. What lies before the window of the first row that a thread or tile has is skipped,
// that is not numbered.
//
// Constants  RAGGED: lists have lengths of their own. WINDOWED: params.window is the length of a window.

struct Visible {
  /// Where the list begins, and how many keys it has.
  listStart: u32,
  listed: u32,
  /// Rows of the range before the first numbered one.
  skipped: u32,
}

/// What rows from `firstRow` on of a query head see.
fn visibleTo(head: u32, firstRow: u32) -> Visible {
  let setOfHead = head / params.headsPerSet;
  var visible = Visible(params.listOffset + setOfHead * params.listRowStride, params.listCount, 0u);
  if (RAGGED) { visible.listed = min(list[params.countsOffset + setOfHead], params.listCount); }
  if (WINDOWED) { visible.skipped = ranged(firstRow) - min(ranged(firstRow), params.window); }
  return visible;
}

/// Rows of the range that a query row sees, or would see without a window.
fn ranged(row: u32) -> u32 {
  if (params.causal == 0u) { return params.rangeLength; }
  return params.rangeLength - min(params.rangeLength, params.queryRows - 1u - row);
}

/// Number of visible keys of a query row.
fn limit(row: u32, visible: Visible) -> u32 {
  return visible.listed + ranged(row) - visible.skipped;
}

/// The first key behind the list that rows with these limits see.
fn windowStart(limits: vec4u, visible: Visible) -> vec4u {
  let seen = limits - visible.listed + visible.skipped;
  return visible.listed + seen - min(seen, vec4u(params.window)) - visible.skipped;
}

/// Whether rows with these limits see a key; of the keys from `end` on none.
fn isSeen(key: vec4u, limits: vec4u, end: u32, visible: Visible) -> vec4<bool> {
  let isBefore = key < min(limits, vec4u(end));
  if (WINDOWED) {
    return isBefore & ((key < vec4u(visible.listed)) | (key >= windowStart(limits, visible)));
  }
  return isBefore;
}

/// The key row that a visible key is.
fn keyRow(index: u32, visible: Visible) -> u32 {
  if (index < visible.listed) { return list[visible.listStart + index]; }
  return params.rangeStart + visible.skipped + index - visible.listed;
}
