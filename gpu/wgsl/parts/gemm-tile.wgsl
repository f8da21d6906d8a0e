// The product of a block of left rows and a block of right rows, in the registers of a workgroup: Σ_v left[i, v] · right[j, v].
//
// A part of other kernels, put behind theirs. They define leftStart(row) and rightStart(row), where a row begins, whatever its
// index, and leftVector(start, vector) and rightVector(start, vector): four channels of it.
//
// Threads    WIDE × HIGH × SPLIT_K. A thread holds 4·ROW_GROUPS × 4·COLUMN_GROUPS results: those of productRow and productColumn.
//            Where there are few blocks, the channels of one are split (split-K): every split takes 16 of them in turn.
// Memory     16 channels of both blocks at a time lie in workgroup memory, transposed, so that a thread reads four rows at once.
//            The next 16 are on their way from the buffers while these are multiplied.
// Precision  32-bit fused sums in order of a split's channels.
// Constants  WIDE, HIGH, SPLIT_K (a power of two), ROW_GROUPS, COLUMN_GROUPS; LEFT_LOADS and RIGHT_LOADS: vectors that a thread
//            brings into each tile.
//
// Loops over results are written out (unrolled), so that the results stay in registers. Where a thread stands is taken by
// remainders in the function that indexes a tile with it: the compiler then sees that the index is in range and leaves out the
// check of it that WGSL asks for, which cost a twentieth of the time.

const LEFT_ROWS = 4u * HIGH * ROW_GROUPS;
const RIGHT_ROWS = 4u * WIDE * COLUMN_GROUPS;
const SPLIT_THREADS = WIDE * HIGH;
const PRODUCT_THREADS = SPLIT_THREADS * SPLIT_K;
/// Channels in workgroup memory, and vectors of four that they are.
const DEPTH = 16u;
const DEPTH_VECTORS = 4u;
const ROW_STEP = SPLIT_THREADS / DEPTH_VECTORS;
/// One vector more than the rows take, lest neighbours store into the same bank.
const LEFT_STRIDE = LEFT_ROWS / 4u + 1u;
const RIGHT_STRIDE = RIGHT_ROWS / 4u + 1u;

/// A thread's results: row by row, COLUMN_GROUPS vectors of four columns each.
const RESULTS = 4u * ROW_GROUPS * COLUMN_GROUPS;
alias Product = array<vec4f, RESULTS>;

var<workgroup> leftTile: array<vec4f, SPLIT_K * DEPTH * LEFT_STRIDE>;
var<workgroup> rightTile: array<vec4f, SPLIT_K * DEPTH * RIGHT_STRIDE>;

/// Where a thread's results lie, in steps of four columns and four rows: thirty-two threads that run together read eight vectors
/// of columns and four of rows, each once.
fn resultColumn(thread: u32) -> u32 {
  return thread % 8u + 8u * (thread / 32u % (WIDE / 8u));
}

fn resultRow(thread: u32) -> u32 {
  return thread / 8u % 4u + 4u * (thread % SPLIT_THREADS / (4u * WIDE));
}

/// The row of the block that a thread's results r·COLUMN_GROUPS and following belong to, r in [0, 4·ROW_GROUPS).
fn productRow(thread: u32, r: u32) -> u32 {
  return 4u * (HIGH * (r / 4u) + resultRow(thread)) + r % 4u;
}

/// The first of the four columns of the block that group g of a row's results belongs to.
fn productColumn(thread: u32, g: u32) -> u32 {
  return 4u * (WIDE * g + resultColumn(thread));
}

/// Where a thread's rows of both blocks begin: every ROW_STEP-th, from row `thread % SPLIT_THREADS / DEPTH_VECTORS` on.
struct RowStarts {
  left: array<u32, LEFT_LOADS>,
  right: array<u32, RIGHT_LOADS>,
}

/// Four channels of each of these rows.
struct Slice {
  left: array<vec4f, LEFT_LOADS>,
  right: array<vec4f, RIGHT_LOADS>,
}

/// Adds the product of the blocks that begin at leftRow and rightRow. All threads of the workgroup must call it; the first split
/// has the whole product afterwards.
fn addProduct(sums: ptr<function, Product>, thread: u32, leftRow: u32, rightRow: u32, vectors: u32) {
  let vector = thread % PRODUCT_THREADS / SPLIT_THREADS * DEPTH_VECTORS + thread % DEPTH_VECTORS;
  var starts = rowStarts(thread, leftRow, rightRow);
  var slice = fetchSlice(&starts, vector, vectors);
  for (var step = 0u; step < vectors; step += SPLIT_K * DEPTH_VECTORS) {
    storeSlice(&slice, thread);
    workgroupBarrier();
    slice = fetchSlice(&starts, vector + step + SPLIT_K * DEPTH_VECTORS, vectors);
    addChannels(sums, thread);
    workgroupBarrier();
  }
  if (SPLIT_K > 1u) { addSplits(sums, thread); }
}

fn rowStarts(thread: u32, leftRow: u32, rightRow: u32) -> RowStarts {
  let firstRow = thread % SPLIT_THREADS / DEPTH_VECTORS;
  var starts = RowStarts();
  for (var i = 0u; i < LEFT_LOADS; i++) { // unrolled
    starts.left[i] = leftStart(leftRow + firstRow + i * ROW_STEP);
  }
  for (var i = 0u; i < RIGHT_LOADS; i++) { // unrolled
    starts.right[i] = rightStart(rightRow + firstRow + i * ROW_STEP);
  }
  return starts;
}

/// The vector of each row; zeros beyond the last channel.
fn fetchSlice(starts: ptr<function, RowStarts>, vector: u32, vectors: u32) -> Slice {
  var slice = Slice();
  if (vector < vectors) {
    for (var i = 0u; i < LEFT_LOADS; i++) { // unrolled
      slice.left[i] = leftVector((*starts).left[i], vector);
    }
    for (var i = 0u; i < RIGHT_LOADS; i++) { // unrolled
      slice.right[i] = rightVector((*starts).right[i], vector);
    }
  }
  return slice;
}

/// Puts a slice into the split's tiles.
fn storeSlice(slice: ptr<function, Slice>, thread: u32) {
  let firstRow = thread % SPLIT_THREADS / DEPTH_VECTORS;
  let channel = thread % PRODUCT_THREADS / SPLIT_THREADS * DEPTH + 4u * (thread % DEPTH_VECTORS);
  for (var i = 0u; i < LEFT_LOADS; i++) { // unrolled
    let row = firstRow + i * ROW_STEP;
    let at = channel * LEFT_STRIDE + row / 4u;
    let four = (*slice).left[i];
    leftTile[at][row % 4u] = four.x;
    leftTile[at + LEFT_STRIDE][row % 4u] = four.y;
    leftTile[at + 2u * LEFT_STRIDE][row % 4u] = four.z;
    leftTile[at + 3u * LEFT_STRIDE][row % 4u] = four.w;
  }
  for (var i = 0u; i < RIGHT_LOADS; i++) { // unrolled
    let row = firstRow + i * ROW_STEP;
    let at = channel * RIGHT_STRIDE + row / 4u;
    let four = (*slice).right[i];
    rightTile[at][row % 4u] = four.x;
    rightTile[at + RIGHT_STRIDE][row % 4u] = four.y;
    rightTile[at + 2u * RIGHT_STRIDE][row % 4u] = four.z;
    rightTile[at + 3u * RIGHT_STRIDE][row % 4u] = four.w;
  }
}

/// All channels of the split's tiles: every row of the thread times every column.
fn addChannels(sums: ptr<function, Product>, thread: u32) {
  let split = thread % PRODUCT_THREADS / SPLIT_THREADS;
  let x = resultColumn(thread) % WIDE;
  let y = resultRow(thread) % HIGH;
  for (var k = 0u; k < 16u; k++) { // unrolled
    var right = array<vec4f, COLUMN_GROUPS>();
    for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
      right[g] = rightTile[(split * DEPTH + k) * RIGHT_STRIDE + g * WIDE + x];
    }
    for (var r = 0u; r < ROW_GROUPS; r++) { // unrolled
      let left = leftTile[(split * DEPTH + k) * LEFT_STRIDE + r * HIGH + y];
      for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
        let i = 4u * r * COLUMN_GROUPS + g;
        (*sums)[i] = fma(vec4f(left.x), right[g], (*sums)[i]);
        (*sums)[i + COLUMN_GROUPS] = fma(vec4f(left.y), right[g], (*sums)[i + COLUMN_GROUPS]);
        (*sums)[i + 2u * COLUMN_GROUPS] = fma(vec4f(left.z), right[g], (*sums)[i + 2u * COLUMN_GROUPS]);
        (*sums)[i + 3u * COLUMN_GROUPS] = fma(vec4f(left.w), right[g], (*sums)[i + 3u * COLUMN_GROUPS]);
      }
    }
  }
}

/// Adds up what the splits have, half of them at a time, by way of the left tiles, which hold four vectors of every thread.
fn addSplits(sums: ptr<function, Product>, thread: u32) {
  let split = thread / SPLIT_THREADS;
  for (var half = SPLIT_K / 2u; half > 0u; half /= 2u) {
    let at = (thread - select(0u, half * SPLIT_THREADS, split >= half)) * 4u;
    for (var part = 0u; part < ROW_GROUPS * COLUMN_GROUPS; part++) { // unrolled
      if (split >= half && split < 2u * half) {
        for (var i = 0u; i < 4u; i++) { // unrolled
          leftTile[at + i] = (*sums)[4u * part + i];
        }
      }
      workgroupBarrier();
      if (split < half) {
        for (var i = 0u; i < 4u; i++) { // unrolled
          (*sums)[4u * part + i] += leftTile[at + i];
        }
      }
      workgroupBarrier();
    }
  }
}
