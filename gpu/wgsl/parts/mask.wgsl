// The keys that query rows see where weights are recomputed: query i those t with i + causalOffset − window < t ≤ i + causalOffset. A
// part of kernels whose `params` have the fields of gpu/webgpu/probabilities.ts.
//
// Constants  WINDOWED: params.window is the length of a window.

/// Number of keys up to the last that a query row sees.
fn limit(row: u32) -> u32 {
  return u32(clamp(i32(row) + bitcast<i32>(params.causalOffset) + 1, 0, i32(params.keyRows)));
}

/// The first key that a query row sees, if it sees any.
fn firstSeen(row: u32) -> u32 {
  if (!WINDOWED) { return 0u; }
  return u32(clamp(i32(row) + bitcast<i32>(params.causalOffset) + 1 - i32(params.window), 0, i32(params.keyRows)));
}

/// The first row that sees one of the keys from `key` on.
fn firstRowOf(key: u32) -> u32 {
  return u32(max(i32(key) - bitcast<i32>(params.causalOffset), 0));
}

/// Where rows end that see one of the keys up to `key`.
fn endRowOf(key: u32) -> u32 {
  if (!WINDOWED) { return params.queryRows; }
  let end = i32(key) - bitcast<i32>(params.causalOffset) + i32(params.window);
  return u32(clamp(end, 0, i32(params.queryRows)));
}
