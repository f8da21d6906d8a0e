// Per row the `count` entries, or as many as `counts` says, with the largest scores, as ascending indices, and how many candidates equal the last one kept.
// Order: score descending, then secondary descending, then index ascending.
//
// Shapes     score and secondary [rows, length], out [rows, count], tied and counts [rows].
// Grid       one workgroup of THREADS threads per row, linear.
// Equals     `topK` of cpu.ts, exactly: floats are compared as integers of the same order, NaN as −∞, −0 as +0.
//
// Radix select: the bits of the last key kept are found from the top, eight at a time, by a histogram of the keys that begin
// with those already found. If several keys equal it, the same is done for their secondary keys. Then the row is gone through
// in tiles: every thread counts its stretch of the tile, the counts before it say where it writes, and a second look writes.
//
// Constants  THREADS: a power of two up to 256. COPIES of the histogram, so that threads side by side do not wait for the same
//            counter. STRETCH: entries of a tile per thread.

struct Params {
  rows: u32,
  length: u32,
  count: u32,
  indexBase: u32,
  scoreOffset: u32,
  scoreRowStride: u32,
  secondaryOffset: u32,
  secondaryRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
  tiedOffset: u32,
  hasSecondary: u32,
  hasTied: u32,
  countsOffset: u32,
  hasCounts: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> score: array<u32>;
@group(0) @binding(2) var<storage, read> secondary: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@group(0) @binding(4) var<storage, read_write> tied: array<u32>;
@group(0) @binding(5) var<storage, read> counts: array<u32>;

const DIGITS = 256u;
const DIGITS_PER_THREAD = DIGITS / THREADS;

/// Entries per digit and copy.
var<workgroup> histogram: array<atomic<u32>, DIGITS * COPIES>;
var<workgroup> chosen: Cut;
var<workgroup> scanned: array<vec2u, THREADS>;

fn ordered(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0x007fffffu; }
  if (magnitude == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn primaryKey(row: u32, index: u32) -> u32 {
  return ordered(score[params.scoreOffset + row * params.scoreRowStride + index]);
}

fn secondaryKey(row: u32, index: u32) -> u32 {
  return ordered(secondary[params.secondaryOffset + row * params.secondaryRowStride + index]);
}

struct Cut {
  /// The last key kept.
  key: u32,
  /// How many entries with exactly this key are needed.
  needed: u32,
  /// How many there are.
  available: u32,
}

/// The sum over this thread and those before it.
fn sumUpTo(thread: u32, addend: vec2u) -> vec2u {
  var sum = addend;
  scanned[thread] = sum;
  workgroupBarrier();
  // By fours: barriers are what a scan costs.
  for (var distance = 1u; distance < THREADS; distance *= 4u) {
    for (var back = distance; back <= min(3u * distance, thread); back += distance) { sum += scanned[thread - back]; }
    workgroupBarrier();
    scanned[thread] = sum;
    workgroupBarrier();
  }
  return sum;
}

fn count(thread: u32, entry: u32, shift: u32) {
  atomicAdd(&histogram[((entry >> shift) & 255u) * COPIES + thread % COPIES], 1u);
}

/// Counts the digits of the keys that begin with those found: of all entries, or, by secondary keys, of those whose primary
/// key is `primaryCut`. Loads come four at a time, so that they wait together.
fn countDigits(thread: u32, row: u32, bySecondary: bool, primaryCut: u32, key: u32, known: u32, shift: u32) {
  let last = params.length - 1u;
  for (var first = thread; first < params.length; first += 4u * THREADS) {
    let indices = vec4u(first) + vec4u(0u, THREADS, 2u * THREADS, 3u * THREADS);
    let safe = min(indices, vec4u(last));
    var entries = vec4u(
      primaryKey(row, safe.x), primaryKey(row, safe.y), primaryKey(row, safe.z), primaryKey(row, safe.w));
    var counts = indices <= vec4u(last);
    if (bySecondary) {
      counts &= entries == vec4u(primaryCut);
      if (!any(counts)) { continue; }
      entries = vec4u(
        secondaryKey(row, safe.x), secondaryKey(row, safe.y), secondaryKey(row, safe.z), secondaryKey(row, safe.w));
    }
    counts &= (entries & vec4u(known)) == vec4u(key);
    if (counts.x) { count(thread, entries.x, shift); }
    if (counts.y) { count(thread, entries.y, shift); }
    if (counts.z) { count(thread, entries.z, shift); }
    if (counts.w) { count(thread, entries.w, shift); }
  }
}

fn entriesOf(digit: u32) -> u32 {
  var entries = 0u;
  for (var copy = 0u; copy < COPIES; copy++) { entries += atomicLoad(&histogram[digit * COPIES + copy]); }
  return entries;
}

/// The `needed`-th largest key: of all entries, or, by secondary keys, of those whose primary key is `primaryCut`.
fn findCut(thread: u32, row: u32, needed: u32, bySecondary: bool, primaryCut: u32) -> Cut {
  var cut = Cut(0u, needed, 0u);
  var known = 0u;
  for (var digitPlace = 0u; digitPlace < 4u; digitPlace++) {
    let shift = 24u - 8u * digitPlace;
    for (var i = thread; i < DIGITS * COPIES; i += THREADS) { atomicStore(&histogram[i], 0u); }
    workgroupBarrier();
    countDigits(thread, row, bySecondary, primaryCut, cut.key, known, shift);
    workgroupBarrier();
    // The digit at which the entries, counted from the largest, reach the number needed: the first thread has the largest.
    let lastDigit = DIGITS - 1u - thread * DIGITS_PER_THREAD;
    var own = array<u32, DIGITS_PER_THREAD>();
    var ownSum = 0u;
    for (var i = 0u; i < DIGITS_PER_THREAD; i++) {
      own[i] = entriesOf(lastDigit - i);
      ownSum += own[i];
    }
    var larger = sumUpTo(thread, vec2u(ownSum, 0u)).x - ownSum;
    for (var i = 0u; i < DIGITS_PER_THREAD; i++) {
      if (larger < cut.needed && larger + own[i] >= cut.needed) {
        chosen = Cut(cut.key | ((lastDigit - i) << shift), cut.needed - larger, own[i]);
      }
      larger += own[i];
    }
    cut = workgroupUniformLoad(&chosen);
    known |= 255u << shift;
  }
  return cut;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  // The row is the same for the whole workgroup.
  if (row >= params.rows) { return; }
  var needed = params.count;
  if (params.hasCounts == 1u) { needed = min(needed, counts[params.countsOffset + row]); }
  if (needed == 0u) {
    if (params.hasTied == 1u && thread == 0u) { tied[params.tiedOffset + row] = 0u; }
    return;
  }
  var cut = findCut(thread, row, needed, false, 0u);
  var secondaryCut = 0u;
  // A single last entry is kept whatever its secondary key.
  let isSplit = params.hasSecondary == 1u && cut.available > 1u;
  if (isSplit) {
    let primary = cut.key;
    cut = findCut(thread, row, cut.needed, true, primary);
    secondaryCut = cut.key;
    cut.key = primary;
  }

  // Entries above and equal to the last one kept, before the tile.
  var before = vec2u();
  for (var tile = 0u; tile < params.length; tile += THREADS * STRETCH) {
    let first = tile + thread * STRETCH;
    let end = min(first + STRETCH, params.length);
    var own = vec2u();
    for (var index = first; index < end; index++) {
      let rank = compareToCut(row, index, cut.key, secondaryCut, isSplit);
      own += vec2u(u32(rank == 2u), u32(rank == 1u));
    }
    let upTo = before + sumUpTo(thread, own);
    var equal = upTo.y - own.y;
    // Of those equal to the cut, the first ones by index are kept.
    var at = params.outOffset + row * params.outRowStride + upTo.x - own.x + min(equal, cut.needed);
    for (var index = first; index < end; index++) {
      let rank = compareToCut(row, index, cut.key, secondaryCut, isSplit);
      let isKept = rank == 2u || (rank == 1u && equal < cut.needed);
      equal += u32(rank == 1u);
      if (isKept) {
        out[at] = params.indexBase + index;
        at++;
      }
    }
    before += workgroupUniformLoad(&scanned[THREADS - 1u]);
  }
  if (params.hasTied == 1u && thread == 0u) { tied[params.tiedOffset + row] = cut.available; }
}

/// 2: before the last entry kept; 1: equal to it but for the index; 0: behind it.
fn compareToCut(row: u32, index: u32, cut: u32, secondaryCut: u32, isSplit: bool) -> u32 {
  let entry = primaryKey(row, index);
  if (entry != cut || !isSplit) { return select(select(0u, 1u, entry == cut), 2u, entry > cut); }
  let second = secondaryKey(row, index);
  return select(select(0u, 1u, second == secondaryCut), 2u, second > secondaryCut);
}
