// Per row the `count` entries with the largest scores, as ascending indices, and how many candidates equal the last one kept.
// Order: score descending, then secondary descending, then index ascending.
//
// Shapes     score and secondary [rows, length], out [rows, count], tied [rows].
// Grid       one workgroup of 64 threads per row, linear.
// Equals     `topK` of gpu/cpu, exactly: floats are compared as integers of the same order, NaN as −∞, −0 as +0.
//
// Radix select: the bits of the last key kept are found from the top, eight at a time, by a histogram of the keys that begin
// with those already found. If more keys equal it than are needed, the same is done for their secondary keys. Then every
// thread counts its stretch of the row, the counts before it say where it writes, and a second look writes.

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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> score: array<u32>;
@group(0) @binding(2) var<storage, read> secondary: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@group(0) @binding(4) var<storage, read_write> tied: array<u32>;

const THREADS = 64u;
const DIGITS = 256u;
const DIGITS_PER_THREAD = DIGITS / THREADS;

/// Entries per digit.
var<workgroup> histogram: array<atomic<u32>, DIGITS>;
var<workgroup> chosenDigit: u32;
var<workgroup> chosenCount: u32;
var<workgroup> neededLeft: u32;
/// For each thread's stretch: entries above the last one kept, and entries equal to it.
var<workgroup> above: array<u32, THREADS>;
var<workgroup> equal: array<u32, THREADS>;

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

/// The `needed`-th largest key: of all entries, or, by secondary keys, of those whose primary key is `primaryCut`.
fn findCut(thread: u32, row: u32, needed: u32, bySecondary: bool, primaryCut: u32) -> Cut {
  var cut = Cut(0u, needed, 0u);
  var known = 0u;
  for (var digitPlace = 0u; digitPlace < 4u; digitPlace++) {
    let shift = 24u - 8u * digitPlace;
    for (var digit = thread; digit < DIGITS; digit += THREADS) { atomicStore(&histogram[digit], 0u); }
    workgroupBarrier();
    for (var index = thread; index < params.length; index += THREADS) {
      var entry = primaryKey(row, index);
      var counts = true;
      if (bySecondary) {
        counts = entry == primaryCut;
        entry = secondaryKey(row, index);
      }
      if (counts && (entry & known) == cut.key) { atomicAdd(&histogram[(entry >> shift) & 255u], 1u); }
    }
    workgroupBarrier();
    // The digit at which the entries, counted from the largest, reach the number needed.
    let firstDigit = thread * DIGITS_PER_THREAD;
    var larger = 0u;
    for (var digit = firstDigit + DIGITS_PER_THREAD; digit < DIGITS; digit++) {
      larger += atomicLoad(&histogram[digit]);
    }
    for (var i = 0u; i < DIGITS_PER_THREAD; i++) {
      let digit = firstDigit + DIGITS_PER_THREAD - 1u - i;
      let entries = atomicLoad(&histogram[digit]);
      if (larger < cut.needed && larger + entries >= cut.needed) {
        chosenDigit = digit;
        chosenCount = entries;
        neededLeft = cut.needed - larger;
      }
      larger += entries;
    }
    workgroupBarrier();
    cut.key |= chosenDigit << shift;
    cut.available = chosenCount;
    cut.needed = neededLeft;
    known |= 255u << shift;
    workgroupBarrier();
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
  var cut = findCut(thread, row, params.count, false, 0u);
  var secondaryCut = 0u;
  let isSplit = params.hasSecondary == 1u;
  if (isSplit) {
    let primary = cut.key;
    cut = findCut(thread, row, cut.needed, true, primary);
    secondaryCut = cut.key;
    cut.key = primary;
  }

  let stretch = (params.length + THREADS - 1u) / THREADS;
  let first = thread * stretch;
  let end = min(first + stretch, params.length);
  var aboveCount = 0u;
  var equalCount = 0u;
  for (var index = first; index < end; index++) {
    let rank = compareToCut(row, index, cut.key, secondaryCut, isSplit);
    aboveCount += u32(rank == 2u);
    equalCount += u32(rank == 1u);
  }
  above[thread] = aboveCount;
  equal[thread] = equalCount;
  workgroupBarrier();
  var aboveBefore = 0u;
  var equalBefore = 0u;
  for (var other = 0u; other < thread; other++) {
    aboveBefore += above[other];
    equalBefore += equal[other];
  }
  // Of those equal to the cut, the first ones by index are kept.
  var at = params.outOffset + row * params.outRowStride;
  at += aboveBefore + min(equalBefore, cut.needed);
  for (var index = first; index < end; index++) {
    let rank = compareToCut(row, index, cut.key, secondaryCut, isSplit);
    let isKept = rank == 2u || (rank == 1u && equalBefore < cut.needed);
    equalBefore += u32(rank == 1u);
    if (isKept) {
      out[at] = params.indexBase + index;
      at++;
    }
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
