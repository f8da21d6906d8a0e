// Per row the `count` entries with the largest scores, as ascending indices, and how many candidates equal the last one kept.
// Order: score descending, then secondary descending, then index ascending. For GPUs; `top-k.wgsl` serves emulated threads.
//
// Shapes     score and secondary [rows, length], out [rows, count], tied [rows]; score as vectors of four, see `Row`.
// Grid       one workgroup of THREADS threads per row, linear.
// Equals     `topK` of gpu/cpu, exactly: floats are compared as integers of the same order, NaN as −∞, −0 as +0.
//
// Radix select: the bits of the last key kept are found from the top, eleven at a time, by a histogram of the keys that begin
// with those already found. If several keys equal it, the same is done for their secondary keys. Then every thread sets the
// bits of its entries in two masks, entries before the last one kept and entries equal to it; the ones before a word of the
// masks, counted, say where its entries go.
//
// A row is gone through in blocks of VECTORS vectors per thread, loaded together so that they wait together. A row of one
// block is loaded once and stays in registers.
//
// Constants  THREADS: a power of two from 64 to 1024. VECTORS: a power of two up to 8. COPIES of the histogram, so that
//            threads side by side do not wait for the same counter.

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
@group(0) @binding(1) var<storage, read> score: array<vec4u>;
@group(0) @binding(2) var<storage, read> secondary: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@group(0) @binding(4) var<storage, read_write> tied: array<u32>;

const DIGIT_BITS = 11u;
const DIGITS = 1u << DIGIT_BITS;
const DIGITS_PER_THREAD = DIGITS / THREADS;
const BLOCK_VECTORS = VECTORS * THREADS;
/// Words of a mask of one block.
const WORDS = BLOCK_VECTORS / 8u;
const WORDS_PER_THREAD = (WORDS + THREADS - 1u) / THREADS;

/// Entries per digit and copy; then the two masks.
var<workgroup> counters: array<atomic<u32>, max(DIGITS * COPIES, 2u * WORDS)>;
var<workgroup> chosen: Cut;

/// A row starts anywhere in its first vector. Its entries are numbered from there: `first` is the number of the first one.
struct Row {
  vector: u32,
  first: u32,
  end: u32,
  secondary: u32,
}

struct Cut {
  /// The last key kept.
  key: u32,
  /// How many entries with exactly this key are needed.
  needed: u32,
  /// How many there are.
  available: u32,
}

var<private> row: Row;
var<private> keys: array<vec4u, VECTORS>;

fn ordered(bits: vec4u) -> vec4u {
  var order = bits ^ (bitcast<vec4u>(bitcast<vec4i>(bits) >> vec4u(31u)) | vec4u(0x80000000u));
  order = select(order, vec4u(0x80000000u), order == vec4u(0x7fffffffu));
  return select(max(order, vec4u(0x007fffffu)), vec4u(0x007fffffu), order > vec4u(0xff800000u));
}

/// Keys of the block at `start`: 0, which is below every key, where the row has no entry.
fn loadBlock(thread: u32, start: u32) {
  for (var j = 0u; j < VECTORS; j++) {
    let vector = start + j * THREADS + thread;
    let entry = vec4u(4u * vector) + vec4u(0u, 1u, 2u, 3u);
    var loaded = vec4u();
    if (4u * vector < row.end) { loaded = ordered(score[row.vector + vector]); }
    keys[j] = select(loaded, vec4u(), (entry < vec4u(row.first)) | (entry >= vec4u(row.end)));
  }
}

fn secondaryKey(entry: u32) -> u32 {
  return ordered(vec4u(secondary[row.secondary + entry - row.first])).x;
}

fn count(thread: u32, key: u32, shift: u32) {
  atomicAdd(&counters[((key >> shift) & (DIGITS - 1u)) * COPIES + thread % COPIES], 1u);
}

/// Counts the digits of the keys that begin with those found: of all entries, or, by secondary keys, of those whose primary
/// key is `primaryCut`.
fn countDigits(thread: u32, bySecondary: bool, primaryCut: u32, found: u32, known: u32, shift: u32, isLoaded: bool) {
  for (var start = 0u; 4u * start < row.end; start += BLOCK_VECTORS) {
    if (!isLoaded) { loadBlock(thread, start); }
    for (var j = 0u; j < VECTORS; j++) {
      for (var c = 0u; c < 4u; c++) {
        var key = keys[j][c];
        if (bySecondary) {
          if (key != primaryCut) { continue; }
          key = secondaryKey(4u * (start + j * THREADS + thread) + c);
        }
        if (key != 0u && (key & known) == found) { count(thread, key, shift); }
      }
    }
  }
}

fn entriesOf(digit: u32) -> u32 {
  var entries = 0u;
  for (var copy = 0u; copy < COPIES; copy++) { entries += atomicLoad(&counters[digit * COPIES + copy]); }
  return entries;
}

/// The `needed`-th largest key: of all entries, or, by secondary keys, of those whose primary key is `primaryCut`.
fn findCut(thread: u32, needed: u32, bySecondary: bool, primaryCut: u32, isLoaded: bool) -> Cut {
  var cut = Cut(0u, needed, 0u);
  var known = 0u;
  for (var place = 0u; place < 3u; place++) {
    // The last digit is one bit shorter.
    let shift = select(21u - DIGIT_BITS * place, 0u, place == 2u);
    for (var i = thread; i < DIGITS * COPIES; i += THREADS) { atomicStore(&counters[i], 0u); }
    workgroupBarrier();
    countDigits(thread, bySecondary, primaryCut, cut.key, known, shift, isLoaded);
    workgroupBarrier();
    // The digit at which the entries, counted from the largest, reach the number needed: the first thread has the largest.
    let lastDigit = DIGITS - 1u - thread * DIGITS_PER_THREAD;
    var own = array<u32, DIGITS_PER_THREAD>();
    var ownSum = 0u;
    for (var i = 0u; i < DIGITS_PER_THREAD; i++) {
      own[i] = entriesOf(lastDigit - i);
      ownSum += own[i];
    }
    var larger = sumUpTo(thread, ownSum) - ownSum;
    for (var i = 0u; i < DIGITS_PER_THREAD; i++) {
      if (larger < cut.needed && larger + own[i] >= cut.needed) {
        chosen = Cut(cut.key | ((lastDigit - i) << shift), cut.needed - larger, own[i]);
      }
      larger += own[i];
    }
    cut = workgroupUniformLoad(&chosen);
    known |= (DIGITS - 1u) << shift;
  }
  return cut;
}

/// Sets the bits of this thread's entries in the masks of the block at `start`.
fn setMasks(thread: u32, start: u32, cut: u32, secondaryCut: u32, isSplit: bool) {
  for (var j = 0u; j < VECTORS; j++) {
    let vector = j * THREADS + thread;
    var above = vec4u(keys[j] > vec4u(cut));
    var equal = vec4u(keys[j] == vec4u(cut));
    if (isSplit) {
      for (var c = 0u; c < 4u; c++) {
        if (equal[c] == 1u) {
          let second = secondaryKey(4u * (start + vector) + c);
          above[c] = u32(second > secondaryCut);
          equal[c] = u32(second == secondaryCut);
        }
      }
    }
    let shift = vec4u(0u, 1u, 2u, 3u) + 4u * (vector % 8u);
    let aboveBits = above << shift;
    let equalBits = equal << shift;
    let aboveMask = aboveBits.x | aboveBits.y | aboveBits.z | aboveBits.w;
    let equalMask = equalBits.x | equalBits.y | equalBits.z | equalBits.w;
    if (aboveMask != 0u) { atomicOr(&counters[vector / 8u], aboveMask); }
    if (equalMask != 0u) { atomicOr(&counters[WORDS + vector / 8u], equalMask); }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let index = workgroup.y * workgroups.x + workgroup.x;
  // The row is the same for the whole workgroup.
  if (index >= params.rows) { return; }
  let start = params.scoreOffset + index * params.scoreRowStride;
  let end = start % 4u + params.length;
  row = Row(start / 4u, start % 4u, end, params.secondaryOffset + index * params.secondaryRowStride);
  let isLoaded = end <= 4u * BLOCK_VECTORS;
  if (isLoaded) { loadBlock(thread, 0u); }
  var cut = findCut(thread, params.count, false, 0u, isLoaded);
  var secondaryCut = 0u;
  // A single last entry is kept whatever its secondary key.
  let isSplit = params.hasSecondary == 1u && cut.available > 1u;
  if (isSplit) {
    let primary = cut.key;
    cut = findCut(thread, cut.needed, true, primary, isLoaded);
    secondaryCut = cut.key;
    cut.key = primary;
  }
  if (params.hasTied == 1u && thread == 0u) { tied[params.tiedOffset + index] = cut.available; }

  let outStart = params.outOffset + index * params.outRowStride;
  // Entries before and equal to the last one kept, before the block.
  var above = 0u;
  var equal = 0u;
  for (var block = 0u; 4u * block < end; block += BLOCK_VECTORS) {
    for (var i = thread; i < 2u * WORDS; i += THREADS) { atomicStore(&counters[i], 0u); }
    if (!isLoaded) { loadBlock(thread, block); }
    workgroupBarrier();
    setMasks(thread, block, cut.key, secondaryCut, isSplit);
    workgroupBarrier();
    // Both numbers in one: neither reaches 2^16 in a block.
    var own = 0u;
    for (var i = 0u; i < WORDS_PER_THREAD; i++) {
      let word = thread * WORDS_PER_THREAD + i;
      if (word < WORDS) {
        own += countOneBits(atomicLoad(&counters[word])) + (countOneBits(atomicLoad(&counters[WORDS + word])) << 16u);
      }
    }
    let upTo = sumUpTo(thread, own);
    let before = upTo - own;
    var equalBefore = equal + (before >> 16u);
    var at = outStart + above + (before & 0xffffu) + min(equalBefore, cut.needed);
    for (var i = 0u; i < WORDS_PER_THREAD; i++) {
      let word = thread * WORDS_PER_THREAD + i;
      if (word < WORDS) {
        let aboveWord = atomicLoad(&counters[word]);
        var left = aboveWord | atomicLoad(&counters[WORDS + word]);
        while (left != 0u) {
          let bit = firstTrailingBit(left);
          left &= left - 1u;
          let isAbove = ((aboveWord >> bit) & 1u) == 1u;
          // Of those equal to the last one, the first ones by index are kept.
          if (isAbove || equalBefore < cut.needed) {
            out[at] = params.indexBase + 4u * block + 32u * word + bit - row.first;
            at++;
          }
          equalBefore += u32(!isAbove);
        }
      }
    }
    let total = sumOfAll(thread, upTo);
    above += total & 0xffffu;
    equal += total >> 16u;
  }
}
