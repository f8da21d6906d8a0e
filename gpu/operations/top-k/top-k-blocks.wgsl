// Per row the `count` entries, or as many as `counts` says, with the largest scores, as ascending indices, and how many candidates equal the last one kept.
// Order: score descending, then secondary descending, then index ascending. For GPUs; `top-k.wgsl` serves software adapters.
//
// Shapes     score and secondary [rows, length], out [rows, count], tied and counts [rows]; score as vectors of four, see `Row`.
// Grid       one workgroup of THREADS threads per row, linear.
// Equals     `topK` of cpu.ts, exactly: floats are compared as integers of the same order, NaN as −∞, −0 as +0.
//
// Radix select: the bits of the last key kept are found from the top, eleven at a time, by a histogram of the keys that begin
// with those already found. If several keys equal it, the same is done for their secondary keys. Then every thread sets the
// bits of its entries in two masks, entries before the last one kept and entries equal to it; the bits before an entry's,
// counted, say where it goes.
//
// A row is gone through in blocks of VECTORS vectors per thread, loaded together so that they wait together. A row of one
// block is loaded once and stays in registers: that is why its vectors have names and are gone through without a loop.
//
// Constants  THREADS: a power of two from 64 to 1024. VECTORS: 2, 4 or 8.

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
@group(0) @binding(1) var<storage, read> score: array<vec4u>;
@group(0) @binding(2) var<storage, read> secondary: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
@group(0) @binding(4) var<storage, read_write> tied: array<u32>;
@group(0) @binding(5) var<storage, read> counts: array<u32>;

const DIGIT_BITS = 11u;
const DIGITS = 1u << DIGIT_BITS;
const DIGITS_PER_THREAD = DIGITS / THREADS;
const BLOCK_VECTORS = VECTORS * THREADS;
/// Words of a mask of one block: one per thread at most.
const WORDS = BLOCK_VECTORS / 8u;

/// Entries per digit, all 0 between digits; in the end the two masks of a block.
var<workgroup> counters: array<atomic<u32>, DIGITS>;
var<workgroup> chosen: Cut;

/// A row starts anywhere in its first vector. Its entries are numbered from there: `first` is the number of the first one.
struct Row {
  vector: u32,
  first: u32,
  end: u32,
  secondary: u32,
}

/// A thread's vectors of a block, THREADS apart; those beyond VECTORS are not used.
struct Block {
  a: vec4u,
  b: vec4u,
  c: vec4u,
  d: vec4u,
  e: vec4u,
  f: vec4u,
  g: vec4u,
  h: vec4u,
}

struct Cut {
  /// The last key kept.
  key: u32,
  /// How many entries with exactly this key are needed.
  needed: u32,
  /// How many there are.
  available: u32,
}

/// What is known of keys: those counted have the bits `known` of `found`.
struct Prefix {
  found: u32,
  known: u32,
  /// Where the next digit starts.
  shift: u32,
}

/// Integers in the order of the floats with these bits: NaN as −∞, −0 as +0.
fn ordered(bits: vec4u) -> vec4u {
  var order = bits ^ (bitcast<vec4u>(bitcast<vec4i>(bits) >> vec4u(31u)) | vec4u(0x80000000u));
  order = select(order, vec4u(0x80000000u), order == vec4u(0x7fffffffu));
  return select(max(order, vec4u(0x007fffffu)), vec4u(0x007fffffu), order > vec4u(0xff800000u));
}

/// Keys of a vector: 0, which is below every key, where the row has no entry.
fn keysOf(row: Row, vector: u32) -> vec4u {
  let entry = 4u * vector;
  var keys = vec4u();
  if (entry < row.end) { keys = ordered(score[row.vector + vector]); }
  if (entry < row.first || entry + 4u > row.end) {
    let entries = vec4u(entry) + vec4u(0u, 1u, 2u, 3u);
    keys = select(keys, vec4u(), (entries < vec4u(row.first)) | (entries >= vec4u(row.end)));
  }
  return keys;
}

/// The block whose first vector for this thread is `first`.
fn loadBlock(row: Row, first: u32) -> Block {
  var block = Block();
  block.a = keysOf(row, first);
  block.b = keysOf(row, first + 1u * THREADS);
  if (VECTORS > 2u) {
    block.c = keysOf(row, first + 2u * THREADS);
    block.d = keysOf(row, first + 3u * THREADS);
  }
  if (VECTORS > 4u) {
    block.e = keysOf(row, first + 4u * THREADS);
    block.f = keysOf(row, first + 5u * THREADS);
    block.g = keysOf(row, first + 6u * THREADS);
    block.h = keysOf(row, first + 7u * THREADS);
  }
  return block;
}

fn secondaryKey(row: Row, entry: u32) -> u32 {
  return ordered(vec4u(secondary[row.secondary + entry - row.first])).x;
}

fn countKey(key: u32, shift: u32) {
  atomicAdd(&counters[(key >> shift) & (DIGITS - 1u)], 1u);
}

fn countVector(keys: vec4u, prefix: Prefix) {
  let counts = ((keys & vec4u(prefix.known)) == vec4u(prefix.found)) & (keys != vec4u());
  if (!any(counts)) { return; }
  if (counts.x) { countKey(keys.x, prefix.shift); }
  if (counts.y) { countKey(keys.y, prefix.shift); }
  if (counts.z) { countKey(keys.z, prefix.shift); }
  if (counts.w) { countKey(keys.w, prefix.shift); }
}

fn countBlock(block: Block, prefix: Prefix) {
  countVector(block.a, prefix);
  countVector(block.b, prefix);
  if (VECTORS > 2u) {
    countVector(block.c, prefix);
    countVector(block.d, prefix);
  }
  if (VECTORS > 4u) {
    countVector(block.e, prefix);
    countVector(block.f, prefix);
    countVector(block.g, prefix);
    countVector(block.h, prefix);
  }
}

/// Counts the next digits of the keys that begin with those found.
fn countRow(thread: u32, row: Row, isLoaded: bool, loaded: Block, prefix: Prefix) {
  if (isLoaded) {
    countBlock(loaded, prefix);
    return;
  }
  for (var start = 0u; 4u * start < row.end; start += BLOCK_VECTORS) {
    countBlock(loadBlock(row, start + thread), prefix);
  }
}

/// The same for the secondary keys of the entries whose primary key is `primary`: few, or a rare row.
fn countSecondary(thread: u32, row: Row, primary: u32, prefix: Prefix) {
  for (var vector = thread; 4u * vector < row.end; vector += THREADS) {
    let equal = keysOf(row, vector) == vec4u(primary);
    if (any(equal)) {
      for (var c = 0u; c < 4u; c++) {
        if (equal[c]) {
          let key = secondaryKey(row, 4u * vector + c);
          if ((key & prefix.known) == prefix.found) { countKey(key, prefix.shift); }
        }
      }
    }
  }
}

/// Takes the digit at which the entries counted, from the largest on, reach the number needed, and clears the counters.
fn chooseDigit(thread: u32, cut: Cut, shift: u32) -> Cut {
  workgroupBarrier();
  // The first thread has the largest.
  let lastDigit = DIGITS - 1u - thread * DIGITS_PER_THREAD;
  var own = array<u32, DIGITS_PER_THREAD>();
  var ownSum = 0u;
  for (var i = 0u; i < DIGITS_PER_THREAD; i++) {
    own[i] = atomicLoad(&counters[lastDigit - i]);
    atomicStore(&counters[lastDigit - i], 0u);
    ownSum += own[i];
  }
  var larger = sumUpTo(thread, ownSum) - ownSum;
  for (var i = 0u; i < DIGITS_PER_THREAD; i++) {
    if (larger < cut.needed && larger + own[i] >= cut.needed) {
      chosen = Cut(cut.key | ((lastDigit - i) << shift), cut.needed - larger, own[i]);
    }
    larger += own[i];
  }
  workgroupBarrier();
  return chosen;
}

/// The `needed`-th largest key: of all entries, or, by secondary keys, of those whose primary key is `primary`.
fn findCut(
  thread: u32,
  row: Row,
  isLoaded: bool,
  loaded: Block,
  needed: u32,
  bySecondary: bool,
  primary: u32,
) -> Cut {
  var cut = Cut(0u, needed, 0u);
  var known = 0u;
  for (var place = 0u; place < 3u; place++) {
    // The last digit shares a bit with the one before it.
    let prefix = Prefix(cut.key, known, select(21u - DIGIT_BITS * place, 0u, place == 2u));
    if (bySecondary) {
      countSecondary(thread, row, primary, prefix);
    } else {
      countRow(thread, row, isLoaded, loaded, prefix);
    }
    cut = chooseDigit(thread, cut, prefix.shift);
    known |= (DIGITS - 1u) << prefix.shift;
  }
  return cut;
}

/// Where the masks are to say what is kept: everything above the cut, and the first of what equals it.
struct Keep {
  cut: u32,
  secondaryCut: u32,
  isSplit: bool,
}

/// Sets the bits of a vector's entries: number `inBlock` of the block, `vector` of the row.
fn markVector(row: Row, keys: vec4u, inBlock: u32, vector: u32, keep: Keep) {
  let shift = 4u * (inBlock % 8u);
  var above = select(vec4u(), vec4u(1u, 2u, 4u, 8u), keys > vec4u(keep.cut));
  let isEqual = keys == vec4u(keep.cut);
  if (any(isEqual)) {
    var equal = select(vec4u(), vec4u(1u, 2u, 4u, 8u), isEqual);
    if (keep.isSplit) {
      for (var c = 0u; c < 4u; c++) {
        if (isEqual[c]) {
          let second = secondaryKey(row, 4u * vector + c);
          above[c] = select(0u, 1u << c, second > keep.secondaryCut);
          equal[c] = select(0u, 1u << c, second == keep.secondaryCut);
        }
      }
    }
    atomicOr(&counters[WORDS + inBlock / 8u], (equal.x | equal.y | equal.z | equal.w) << shift);
  }
  let bits = above.x | above.y | above.z | above.w;
  if (bits != 0u) { atomicOr(&counters[inBlock / 8u], bits << shift); }
}

fn markBlock(row: Row, block: Block, thread: u32, start: u32, keep: Keep) {
  markVector(row, block.a, thread, start + thread, keep);
  markVector(row, block.b, thread + 1u * THREADS, start + thread + 1u * THREADS, keep);
  if (VECTORS > 2u) {
    markVector(row, block.c, thread + 2u * THREADS, start + thread + 2u * THREADS, keep);
    markVector(row, block.d, thread + 3u * THREADS, start + thread + 3u * THREADS, keep);
  }
  if (VECTORS > 4u) {
    markVector(row, block.e, thread + 4u * THREADS, start + thread + 4u * THREADS, keep);
    markVector(row, block.f, thread + 5u * THREADS, start + thread + 5u * THREADS, keep);
    markVector(row, block.g, thread + 6u * THREADS, start + thread + 6u * THREADS, keep);
    markVector(row, block.h, thread + 7u * THREADS, start + thread + 7u * THREADS, keep);
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
  var count = params.count;
  if (params.hasCounts == 1u) { count = min(count, counts[params.countsOffset + index]); }
  if (count == 0u) {
    if (params.hasTied == 1u && thread == 0u) { tied[params.tiedOffset + index] = 0u; }
    return;
  }
  let start = params.scoreOffset + index * params.scoreRowStride;
  let end = start % 4u + params.length;
  let row = Row(start / 4u, start % 4u, end, params.secondaryOffset + index * params.secondaryRowStride);
  let isLoaded = end <= 4u * BLOCK_VECTORS;
  var block = Block();
  if (isLoaded) { block = loadBlock(row, thread); }
  var cut = findCut(thread, row, isLoaded, block, count, false, 0u);
  var keep = Keep(cut.key, 0u, false);
  // A single last entry is kept whatever its secondary key.
  if (params.hasSecondary == 1u && workgroupUniformLoad(&chosen).available > 1u) {
    cut = findCut(thread, row, isLoaded, block, cut.needed, true, keep.cut);
    keep = Keep(keep.cut, cut.key, true);
  }
  if (params.hasTied == 1u && thread == 0u) { tied[params.tiedOffset + index] = cut.available; }

  let outStart = params.outOffset + index * params.outRowStride;
  // Entries before and equal to the last one kept, before the block.
  var above = 0u;
  var equal = 0u;
  for (var first = 0u; 4u * first < end; first += BLOCK_VECTORS) {
    if (!isLoaded) { block = loadBlock(row, first + thread); }
    markBlock(row, block, thread, first, keep);
    workgroupBarrier();
    // The thread's words of both masks, cleared for the next block.
    var aboveWord = 0u;
    var equalWord = 0u;
    if (thread < WORDS) {
      aboveWord = atomicExchange(&counters[thread], 0u);
      equalWord = atomicExchange(&counters[WORDS + thread], 0u);
    }
    // Both numbers in one: neither reaches 2^16 in a block.
    let own = countOneBits(aboveWord) + (countOneBits(equalWord) << 16u);
    let upTo = sumUpTo(thread, own);
    let before = upTo - own;
    var equalBefore = equal + (before >> 16u);
    var at = outStart + above + (before & 0xffffu) + min(equalBefore, cut.needed);
    // Of those equal to the last one, the first ones by index are kept.
    var left = aboveWord | equalWord;
    while (left != 0u) {
      let bit = firstTrailingBit(left);
      left &= left - 1u;
      let isAbove = ((aboveWord >> bit) & 1u) == 1u;
      if (isAbove || equalBefore < cut.needed) {
        out[at] = params.indexBase + 4u * first + 32u * thread + bit - row.first;
        at++;
      }
      equalBefore += u32(!isAbove);
    }
    let total = sumOfAll(thread, upTo);
    above += total & 0xffffu;
    equal += total >> 16u;
  }
}
