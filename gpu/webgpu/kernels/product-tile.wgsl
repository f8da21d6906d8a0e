// The product of a block of left rows and a block of right rows, in the registers of a workgroup: Σ_v left[i, v] · right[j, v].
//
// A part of other kernels, put behind theirs. They define leftStart(row) and rightStart(row), where a row begins, whatever its
// index, and leftVector(start, vector) and rightVector(start, vector): four channels of it, zeros beyond the last channel.
//
// Threads    WIDE × HIGH. A thread holds 4·ROW_GROUPS × 4·COLUMN_GROUPS results: those of productRow and productColumn.
// Memory     16 channels of both blocks at a time lie in workgroup memory, transposed, so that a thread reads four rows at once;
//            neighbours read neighbouring columns and the same rows.
// Precision  32-bit fused sums in order of the channels.
// Constants  WIDE, HIGH, ROW_GROUPS, COLUMN_GROUPS; LEFT_LOADS and RIGHT_LOADS: vectors that a thread brings into each tile.
//
// Loops over results are written out (unrolled), so that the results stay in registers.

const LEFT_ROWS = 4u * HIGH * ROW_GROUPS;
const RIGHT_ROWS = 4u * WIDE * COLUMN_GROUPS;
const PRODUCT_THREADS = WIDE * HIGH;
/// Channels in workgroup memory, and vectors of four that they are.
const DEPTH = 16u;
const DEPTH_VECTORS = 4u;
/// One vector more than the rows take, lest neighbours store into the same bank.
const LEFT_STRIDE = LEFT_ROWS / 4u + 1u;
const RIGHT_STRIDE = RIGHT_ROWS / 4u + 1u;

/// A thread's results: row by row, COLUMN_GROUPS vectors of four columns each.
alias Product = array<vec4f, 4u * ROW_GROUPS * COLUMN_GROUPS>;

var<workgroup> leftTile: array<vec4f, DEPTH * LEFT_STRIDE>;
var<workgroup> rightTile: array<vec4f, DEPTH * RIGHT_STRIDE>;

/// The row of the block that a thread's results r·COLUMN_GROUPS and following belong to, r in [0, 4·ROW_GROUPS).
fn productRow(thread: u32, r: u32) -> u32 {
  return 4u * (HIGH * (r / 4u) + thread / WIDE) + r % 4u;
}

/// The first of the four columns of the block that group g of a row's results belongs to.
fn productColumn(thread: u32, g: u32) -> u32 {
  return 4u * (WIDE * g + thread % WIDE);
}

/// Adds the product of the blocks that begin at leftRow and rightRow. All threads of the workgroup must call it.
fn addProduct(sums: ptr<function, Product>, thread: u32, leftRow: u32, rightRow: u32, vectors: u32) {
  let row = thread / DEPTH_VECTORS;
  let lane = thread % DEPTH_VECTORS;
  let rowStep = PRODUCT_THREADS / DEPTH_VECTORS;
  var leftStarts = array<u32, LEFT_LOADS>();
  for (var i = 0u; i < LEFT_LOADS; i++) { // unrolled
    leftStarts[i] = leftStart(leftRow + row + i * rowStep);
  }
  var rightStarts = array<u32, RIGHT_LOADS>();
  for (var i = 0u; i < RIGHT_LOADS; i++) { // unrolled
    rightStarts[i] = rightStart(rightRow + row + i * rowStep);
  }
  for (var vector = 0u; vector < vectors; vector += DEPTH_VECTORS) {
    for (var i = 0u; i < LEFT_LOADS; i++) { // unrolled
      let four = leftVector(leftStarts[i], vector + lane);
      let at = 4u * lane * LEFT_STRIDE + (row + i * rowStep) / 4u;
      leftTile[at][row % 4u] = four.x;
      leftTile[at + LEFT_STRIDE][row % 4u] = four.y;
      leftTile[at + 2u * LEFT_STRIDE][row % 4u] = four.z;
      leftTile[at + 3u * LEFT_STRIDE][row % 4u] = four.w;
    }
    for (var i = 0u; i < RIGHT_LOADS; i++) { // unrolled
      let four = rightVector(rightStarts[i], vector + lane);
      let at = 4u * lane * RIGHT_STRIDE + (row + i * rowStep) / 4u;
      rightTile[at][row % 4u] = four.x;
      rightTile[at + RIGHT_STRIDE][row % 4u] = four.y;
      rightTile[at + 2u * RIGHT_STRIDE][row % 4u] = four.z;
      rightTile[at + 3u * RIGHT_STRIDE][row % 4u] = four.w;
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) { // unrolled
      addChannel(sums, thread, k);
    }
    workgroupBarrier();
  }
}

/// One channel of the tiles: every row of the thread times every column.
fn addChannel(sums: ptr<function, Product>, thread: u32, channel: u32) {
  var right = array<vec4f, COLUMN_GROUPS>();
  for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
    right[g] = rightTile[channel * RIGHT_STRIDE + g * WIDE + thread % WIDE];
  }
  for (var r = 0u; r < ROW_GROUPS; r++) { // unrolled
    let left = leftTile[channel * LEFT_STRIDE + r * HIGH + thread / WIDE];
    for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
      let at = 4u * r * COLUMN_GROUPS + g;
      (*sums)[at] = fma(vec4f(left.x), right[g], (*sums)[at]);
      (*sums)[at + COLUMN_GROUPS] = fma(vec4f(left.y), right[g], (*sums)[at + COLUMN_GROUPS]);
      (*sums)[at + 2u * COLUMN_GROUPS] = fma(vec4f(left.z), right[g], (*sums)[at + 2u * COLUMN_GROUPS]);
      (*sums)[at + 3u * COLUMN_GROUPS] = fma(vec4f(left.w), right[g], (*sums)[at + 3u * COLUMN_GROUPS]);
    }
  }
}
