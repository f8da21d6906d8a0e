// The same as attention-tiles.wgsl where threads are real: a workgroup computes blocks of 64 × 64 cells as a product of
// matrices and pools them on the way.
//
// Grid       8 × 8 threads a workgroup; thread (x, y) holds query rows 8y … 8y+7 and keys 8x … 8x+7 of a block. Its pixels
//            are those that a block covers, or the one pixel that covers many blocks, which it walks through.
//            workgroups.x over columns of such pixels, workgroups.y over their rows in all tiles, from firstUnit.
// Precision  32-bit sums in order of channels.
// Equals     `attentionTiles` of cpu.ts.
//
// Constants  PIXEL_ROWS, PIXEL_KEYS: evaluated rows and keys of a pixel, at most 8: what a thread pools by itself.
//
// Rows of a block lie in workgroup memory in the order 0, 8, 16, …, 1, 9, …, five vectors apart for four used: threads that load
// at the same time touch different banks.

struct Params {
  firstUnit: u32,
  unitsPerTile: u32,
  width: u32,
  height: u32,
  tokensPerPixel: u32,
  rowStep: u32,
  queryRows: u32,
  keyRows: u32,
  headsPerGroup: u32,
  vectors: u32,
  scale: f32,
  softCap: f32,
  causalOffset: u32,
  window: u32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  logSumExpOffset: u32,
  logSumExpHeadStride: u32,
  factorOffset: u32,
  factorHeadStride: u32,
  firstKeys: u32,
  firstFactor: f32,
  outOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(5) var<storage, read> factors: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

const BLOCK = 64u;
const THREADS = 64u;
/// Vectors of a row that are in workgroup memory at a time, and how far rows are apart there.
const CHUNK = 4u;
const PITCH = 5u;
/// Pixels of a thread, down and across.
const DOWN = 8u / PIXEL_ROWS;
const ACROSS = 8u / PIXEL_KEYS;
/// A pixel of one cell needs no largest product beside its probability.
const IS_CELL = PIXEL_ROWS == 1u && PIXEL_KEYS == 1u;
const PRODUCTS = select(DOWN * ACROSS, 1u, IS_CELL);

var<workgroup> queries: array<vec4f, BLOCK * PITCH>;
var<workgroup> keys: array<vec4f, BLOCK * PITCH>;
var<workgroup> partialLargest: array<f32, THREADS * DOWN>;
var<workgroup> partialSum: array<f32, THREADS * DOWN>;
var<workgroup> partialExcess: array<f32, THREADS * DOWN>;

/// Cells that are seen among the evaluated rows firstRow, firstRow + rowStep, … of a pixel and its keys from firstKey on.
fn cellsOf(firstRow: u32, rowsPerPixel: u32, firstKey: u32) -> u32 {
  if (firstRow >= params.queryRows || firstKey >= params.keyRows) { return 0u; }
  let rows = min(rowsPerPixel, (params.queryRows - firstRow + params.rowStep - 1u) / params.rowStep);
  let most = min(params.tokensPerPixel, params.keyRows - firstKey);
  if (!WINDOWED && limit(firstRow) >= firstKey + most) { return rows * most; }
  var cells = 0u;
  for (var r = 0u; r < rows; r++) {
    let row = firstRow + r * params.rowStep;
    let end = min(most, max(limit(row), firstKey) - firstKey);
    cells += end - min(end, max(firstSeen(row), firstKey) - firstKey);
  }
  return cells;
}

@compute @workgroup_size(8, 8)
fn main(
  @builtin(local_invocation_id) thread: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let unit = params.firstUnit + workgroup.y;
  let tile = unit / params.unitsPerTile;
  let head = tiles[3u * tile];
  let tileRow = tiles[3u * tile + 1u];
  let tileKey = tiles[3u * tile + 2u];
  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride;
  let lseStart = params.logSumExpOffset + head * params.logSumExpHeadStride;
  let factorStart = params.factorOffset + head * params.factorHeadStride;

  let rowsPerPixel = params.tokensPerPixel / params.rowStep;
  let keysPerPixel = params.tokensPerPixel;
  let pixelsDown = max(1u, BLOCK / rowsPerPixel);
  let pixelsAcross = max(1u, BLOCK / keysPerPixel);
  let firstLine = unit % params.unitsPerTile * pixelsDown;
  let firstColumn = workgroup.x * pixelsAcross;
  let startRow = tileRow + firstLine * params.tokensPerPixel;
  let startKey = tileKey + firstColumn * keysPerPixel;
  let blocksDown = max(1u, rowsPerPixel / BLOCK);
  let blocksAcross = max(1u, keysPerPixel / BLOCK);

  var largest = array<f32, DOWN * ACROSS>();
  var sum = array<f32, DOWN * ACROSS>();
  var excess = array<f32, PRODUCTS>();
  for (var down = 0u; down < blocksDown; down++) {
    let firstRow = startRow + down * BLOCK * params.rowStep;
    if (firstRow >= params.queryRows) { break; }
    let lastRow = min(firstRow + (BLOCK - 1u) * params.rowStep, params.queryRows - 1u);
    let end = limit(lastRow);
    // Rows and keys beyond the end repeat the last one.
    let isCut = firstRow + (BLOCK - 1u) * params.rowStep >= params.queryRows;
    var lse = array<f32, 8>();
    for (var i = 0u; i < 8u; i++) { // unrolled
      lse[i] = logSumExp[lseStart + min(firstRow + (thread.y * 8u + i) * params.rowStep, lastRow)];
    }
    for (var across = 0u; across < blocksAcross; across++) {
      let firstKey = startKey + across * BLOCK;
      if (firstKey >= end) { break; }
      if (WINDOWED && firstKey + BLOCK <= firstSeen(firstRow)) { continue; }
      var left = array<vec4f, 8>();
      var right = array<vec4f, 8>();
      for (var chunk = 0u; chunk < params.vectors; chunk += CHUNK) {
        workgroupBarrier();
        for (var load = 0u; load < BLOCK * CHUNK / THREADS; load++) {
          let row = (load * THREADS + index) / CHUNK;
          let v = index % CHUNK;
          let slot = (row % 8u * 8u + row / 8u) * PITCH + v;
          let isThere = chunk + v < params.vectors;
          let q = min(firstRow + row * params.rowStep, lastRow);
          let k = min(firstKey + row, params.keyRows - 1u);
          let channel = min(chunk + v, params.vectors - 1u);
          queries[slot] = select(
            vec4f(), query[queryStart + q * params.queryRowStride + channel], isThere);
          keys[slot] = select(vec4f(), key[keyStart + k * params.keyRowStride + channel], isThere);
        }
        workgroupBarrier();
        for (var v = 0u; v < CHUNK; v++) {
          let k0 = keys[(0u + thread.x) * PITCH + v];
          let k1 = keys[(8u + thread.x) * PITCH + v];
          let k2 = keys[(16u + thread.x) * PITCH + v];
          let k3 = keys[(24u + thread.x) * PITCH + v];
          let k4 = keys[(32u + thread.x) * PITCH + v];
          let k5 = keys[(40u + thread.x) * PITCH + v];
          let k6 = keys[(48u + thread.x) * PITCH + v];
          let k7 = keys[(56u + thread.x) * PITCH + v];
          let left0 = vec4f(k0.x, k1.x, k2.x, k3.x);
          let left1 = vec4f(k0.y, k1.y, k2.y, k3.y);
          let left2 = vec4f(k0.z, k1.z, k2.z, k3.z);
          let left3 = vec4f(k0.w, k1.w, k2.w, k3.w);
          let right0 = vec4f(k4.x, k5.x, k6.x, k7.x);
          let right1 = vec4f(k4.y, k5.y, k6.y, k7.y);
          let right2 = vec4f(k4.z, k5.z, k6.z, k7.z);
          let right3 = vec4f(k4.w, k5.w, k6.w, k7.w);
          for (var i = 0u; i < 8u; i++) { // unrolled
            let q = queries[(i * 8u + thread.y) * PITCH + v];
            left[i] = fma(vec4f(q.w), left3, fma(vec4f(q.z), left2, fma(vec4f(q.y), left1, fma(vec4f(q.x), left0, left[i]))));
            right[i] = fma(vec4f(q.w), right3, fma(vec4f(q.z), right2, fma(vec4f(q.y), right1, fma(vec4f(q.x), right0, right[i]))));
          }
        }
      }

      let needsMask = isCut || firstKey + BLOCK > limit(firstRow) || (WINDOWED && firstKey < firstSeen(lastRow));
      let leftKey = firstKey + thread.x * 8u + vec4u(0u, 1u, 2u, 3u);
      let rightKey = leftKey + 4u;
      for (var i = 0u; i < 8u; i++) { // unrolled
        var a = exp(capped(params.scale * left[i]) - lse[i]);
        var b = exp(capped(params.scale * right[i]) - lse[i]);
        if (needsMask) {
          let row = firstRow + (thread.y * 8u + i) * params.rowStep;
          let seen = vec4u(select(0u, limit(row), row < params.queryRows));
          a = select(vec4f(), a, leftKey < seen);
          b = select(vec4f(), b, rightKey < seen);
          if (WINDOWED) {
            a = select(vec4f(), a, leftKey >= vec4u(firstSeen(row)));
            b = select(vec4f(), b, rightKey >= vec4u(firstSeen(row)));
          }
        }
        let at = i / PIXEL_ROWS * ACROSS;
        if (!IS_CELL) {
          let factor = factors[factorStart + min(firstRow + (thread.y * 8u + i) * params.rowStep, lastRow)];
          let first = vec4u(params.firstKeys);
          let c = a * select(vec4f(factor), vec4f(params.firstFactor), leftKey < first);
          let d = b * select(vec4f(factor), vec4f(params.firstFactor), rightKey < first);
          for (var j = 0u; j < 8u; j++) { // unrolled
            let product = select(d[j % 4u], c[j % 4u], j < 4u);
            excess[at + j / PIXEL_KEYS] = max(excess[at + j / PIXEL_KEYS], product);
          }
        }
        if (PIXEL_KEYS == 8u) {
          let m = max(a, b);
          let s = a + b;
          largest[at] = max(largest[at], max(max(m.x, m.y), max(m.z, m.w)));
          sum[at] += (s.x + s.y) + (s.z + s.w);
        } else {
          for (var j = 0u; j < 8u; j++) { // unrolled
            let probability = select(b[j % 4u], a[j % 4u], j < 4u);
            largest[at + j / PIXEL_KEYS] = max(largest[at + j / PIXEL_KEYS], probability);
            sum[at + j / PIXEL_KEYS] += probability;
          }
        }
      }
    }
  }

  // Threads and pixels in a row of threads (across) and in a column of them (down) that belong together.
  let together = vec2u(max(1u, min(BLOCK, keysPerPixel) / 8u), max(1u, min(BLOCK, rowsPerPixel) / 8u));
  let pixels = params.width * params.height;
  let tileOut = params.outOffset + tile * 3u * pixels;
  if (keysPerPixel <= 8u) {
    for (var p = 0u; p < DOWN * ACROSS; p++) {
      let y = firstLine + thread.y * DOWN + p / ACROSS;
      let x = firstColumn + thread.x * ACROSS + p % ACROSS;
      if (y < params.height && x < params.width) {
        let cells = cellsOf(tileRow + y * params.tokensPerPixel, rowsPerPixel, tileKey + x * keysPerPixel);
        let at = tileOut + y * params.width + x;
        out[at] = largest[p];
        out[at + pixels] = select(0.0, sum[p] / f32(cells), cells > 0u);
        if (IS_CELL) {
          let row = min(tileRow + y, params.queryRows - 1u);
          let factor = select(factors[factorStart + row], params.firstFactor, tileKey + x < params.firstKeys);
          out[at + 2u * pixels] = max(0.0, largest[p] * factor);
        } else {
          out[at + 2u * pixels] = excess[p];
        }
      }
    }
    return;
  }
  // Wider pixels: threads lie in lines of eight; pool first along the lines, then down.
  for (var p = 0u; p < DOWN; p++) {
    partialLargest[(thread.y * DOWN + p) * 8u + thread.x] = largest[p];
    partialSum[(thread.y * DOWN + p) * 8u + thread.x] = sum[p];
    partialExcess[(thread.y * DOWN + p) * 8u + thread.x] = excess[p];
  }
  workgroupBarrier();
  let columns = 8u / together.x;
  for (var item = index; item < 8u * DOWN * columns; item += THREADS) {
    let at = item / columns * 8u + item % columns * together.x;
    var most = partialLargest[at];
    var total = partialSum[at];
    var product = partialExcess[at];
    for (var j = 1u; j < together.x; j++) {
      most = max(most, partialLargest[at + j]);
      total += partialSum[at + j];
      product = max(product, partialExcess[at + j]);
    }
    partialLargest[at] = most;
    partialSum[at] = total;
    partialExcess[at] = product;
  }
  workgroupBarrier();
  for (var item = index; item < 8u * DOWN / together.y * columns; item += THREADS) {
    let y = firstLine + item / columns;
    let x = firstColumn + item % columns;
    if (y < params.height && x < params.width) {
      var most = 0.0;
      var total = 0.0;
      var product = 0.0;
      for (var j = 0u; j < together.y; j++) {
        let start = (item / columns * together.y + j) * 8u + item % columns * together.x;
        most = max(most, partialLargest[start]);
        total += partialSum[start];
        product = max(product, partialExcess[start]);
      }
      let cells = cellsOf(tileRow + y * params.tokensPerPixel, rowsPerPixel, tileKey + x * keysPerPixel);
      let at = tileOut + y * params.width + x;
      out[at] = most;
      out[at + pixels] = select(0.0, total / f32(cells), cells > 0u);
      out[at + 2u * pixels] = product;
    }
  }
}
