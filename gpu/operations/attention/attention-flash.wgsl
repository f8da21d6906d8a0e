// Softmax attention with online softmax (arXiv 2205.14135) for devices whose threads are real: a workgroup takes a tile of query
// rows and walks over one split of their visible keys (split-KV), tile by tile.
//
// Shapes     query [H, n, d], key and value [G, m, d]; offsets and strides count vectors of four, channels is d. With one split
//            out [H, n, outChannels] and logSumExp [H, n] are written; otherwise splitResults [H·n, splits, d + 2]: the values
//            summed with weights exp(score − maximum), the maximum, and the sum of the weights, of which
//            attention-merge-splits.wgsl makes the result.
// Rows       Query heads that see the same keys are packed (packed GQA): row r of a pack is row ⌊r / headsPerPack⌋ of its head
//            r mod headsPerPack. So a tile may hold rows of several heads, and keys are read once for all of them.
// Keys       Visible keys are numbered (visible-keys.wgsl). Tiles of keys that no row of a tile sees are not visited.
// Grid       one workgroup of ROW_THREADS × COLUMN_THREADS threads per tile of rows, split and pack (packs fastest), linear from
//            firstItem. The last tiles of rows, which see most, come first: what starts last is short.
// Precision  32-bit. Scores that are masked are the lowest number there is; a row's maximum is LOWEST_MAXIMUM before its first key,
//            far enough above for them to contribute exactly 0. All above it are scores.
//            A value that is infinite gives NaN to all rows of its tile, as 0 · ∞ does.
// Equals     `attention` of cpu.ts. A query that sees no key gets zeros and −∞.
//
// Registers  A thread holds the scores of 4·ROW_GROUPS rows × 4·PANELS keys, and later the results of the same rows ×
//            4·COLUMNS channels: every vector that it loads from workgroup memory is used 4·PANELS or 4·ROW_GROUPS times.
// Memory     Queries and keys pass through workgroup memory CHANNELS channels at a time, four rows in a vector; then weights,
//            a panel of keys at a time, and values, VALUE_KEYS keys at a time. While a part is used, the next one is already on
//            its way into registers (attention-flash-stage.wgsl). Arrays of an odd number of vectors lie in different banks.
// Indices    WGSL keeps every index within its array; only where the compiler can prove that it is there does this cost nothing.
//            So functions take their arguments modulo what they are below anyway, and inner loops count by one up to constants:
//            channels beyond the last are zeros, keys beyond the split have weight 0.
// Constants  those named above; RAGGED, WINDOWED, CAPPED; COLUMNS: ⌈d / (4·COLUMN_THREADS)⌉; QUERY_LOADS, KEY_LOADS, VALUE_LOADS: what a
//            thread loads of a part, in units of four vectors of queries or keys and single vectors of values; KEPT_SCORES: 4·ROW_GROUPS·(PANELS − 1).

struct Params {
  firstItem: u32,
  endItem: u32,
  splits: u32,
  keysPerSplit: u32,
  packs: u32,
  headsPerPack: u32,
  rowTiles: u32,
  channels: u32,
  queryRows: u32,
  headsPerGroup: u32,
  scale: f32,
  softCap: f32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  valueOffset: u32,
  valueHeadStride: u32,
  valueRowStride: u32,
  listOffset: u32,
  listCount: u32,
  listRowStride: u32,
  headsPerSet: u32,
  countsOffset: u32,
  rangeStart: u32,
  rangeLength: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
  outChannels: u32,
  logSumExpOffset: u32,
  logSumExpHeadStride: u32,
  causal: u32,
  window: u32,
  hasLogSumExp: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> value: array<vec4f>;
@group(0) @binding(4) var<storage, read> list: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> logSumExp: array<u32>;
@group(0) @binding(7) var<storage, read_write> splitResults: array<f32>;

const THREADS = ROW_THREADS * COLUMN_THREADS;
const TILE_ROW_GROUPS = ROW_THREADS * ROW_GROUPS;
const ROW_TILE = 4u * TILE_ROW_GROUPS;
const PANEL = 4u * COLUMN_THREADS;
const KEY_GROUPS = COLUMN_THREADS * PANELS;
const KEY_TILE = PANEL * PANELS;
const TILE_COLUMNS = COLUMN_THREADS * COLUMNS;
const SLICE = CHANNELS / 4u;

const MASKED = -0x1.fffffep+127f;
const LOWEST_MAXIMUM = -3.3e38;
const NEGATIVE_INFINITY_BITS = 0xff800000u;
const LOG2_E = 1.4426950408889634;

/// Groups of four query rows, by key of the panel.
var<workgroup> weights: array<array<vec4f, PANEL + 1u>, TILE_ROW_GROUPS>;
var<workgroup> queryStarts: array<vec4u, TILE_ROW_GROUPS>;
var<workgroup> limits: array<vec4u, TILE_ROW_GROUPS>;
/// Of one tile of keys, and of the next: tables 0 and 1.
var<workgroup> keyRows: array<array<u32, KEY_TILE>, 2>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = params.firstItem + workgroup.y * workgroups.x + workgroup.x;
  if (item >= params.endItem) { return; }
  let pack = item % params.packs;
  let split = item / params.packs % params.splits;
  let tile = params.rowTiles - 1u - item / params.packs / params.splits;
  let firstHead = pack * params.headsPerPack;
  let keyHead = firstHead / params.headsPerGroup;
  let keyStart = params.keyOffset + keyHead * params.keyHeadStride;
  let valueStart = params.valueOffset + keyHead * params.valueHeadStride;
  let firstRow = tile * ROW_TILE;
  let lastRow = min(firstRow + ROW_TILE, params.headsPerPack * params.queryRows) - 1u;
  let column = thread % COLUMN_THREADS;
  let rowGroup = thread / COLUMN_THREADS;

  let visible = visibleTo(firstHead, firstRow / params.headsPerPack);
  let begin = split * params.keysPerSplit;
  let end = min(begin + params.keysPerSplit, limit(lastRow / params.headsPerPack, visible));
  let seenByAll = min(end, limit(firstRow / params.headsPerPack, visible));
  // Rows beyond the last repeat it and are not stored, and so do keys, which are masked.
  for (var i = thread; i < ROW_TILE; i += THREADS) {
    let packed = min(firstRow + i, lastRow);
    let row = packed / params.headsPerPack;
    let head = firstHead + packed % params.headsPerPack;
    queryStarts[i / 4u][i % 4u] = params.queryOffset + head * params.queryHeadStride + row * params.queryRowStride;
    limits[i / 4u][i % 4u] = limit(row, visible);
  }
  if (begin < end) {
    for (var i = thread; i < KEY_TILE; i += THREADS) { keyRows[0][i] = keyRow(min(begin + i, end - 1u), visible); }
  }
  workgroupBarrier();

  // Vectors of four channels: row by row, COLUMNS each.
  var results = array<vec4f, 4u * ROW_GROUPS * COLUMNS>();
  // Vectors of four rows.
  var maxima = array<vec4f, ROW_GROUPS>();
  var sums = array<vec4f, ROW_GROUPS>();
  for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
    maxima[g] = vec4f(LOWEST_MAXIMUM);
  }
  var table = 0u;
  if (begin < end) { loadScoring(thread, keyStart, table, 0u); }

  for (var first = begin; first < end; first += KEY_TILE) {
    // Nobody needs the last tile's key rows any more.
    for (var i = thread; i < KEY_TILE; i += THREADS) {
      keyRows[1u - table][i] = keyRow(min(first + KEY_TILE + i, end - 1u), visible);
    }

    // Vectors of four rows: key by key, ROW_GROUPS each.
    var scores = array<vec4f, 4u * PANELS * ROW_GROUPS>();
    for (var firstVector = 0u; 4u * firstVector < params.channels; firstVector += SLICE) {
      workgroupBarrier();
      storeScoring(thread, firstVector);
      workgroupBarrier();
      if (4u * (firstVector + SLICE) < params.channels) {
        loadScoring(thread, keyStart, table, firstVector + SLICE);
      } else {
        loadValues(thread, valueStart, table, 0u);
      }
      for (var vector = 0u; vector < SLICE; vector++) {
        for (var c = 0u; c < 4u; c++) { // unrolled
          var q = array<vec4f, ROW_GROUPS>();
          for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
            q[g] = stage[(rowGroup + g * ROW_THREADS) * SCORING_SLOTS + 4u * vector + c];
          }
          for (var p = 0u; p < PANELS; p++) { // unrolled
            let k = stage[(TILE_ROW_GROUPS + column + p * COLUMN_THREADS) * SCORING_SLOTS + 4u * vector + c];
            for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
              for (var j = 0u; j < 4u; j++) { // unrolled
                let at = (4u * p + j) * ROW_GROUPS + g;
                scores[at] = fma(vec4f(k[j]), q[g], scores[at]);
              }
            }
          }
        }
      }
    }

    if (CAPPED) {
      for (var i = 0u; i < 4u * PANELS * ROW_GROUPS; i++) { // unrolled
        scores[i] = capped(scores[i]);
      }
    }
    if (WINDOWED || first + KEY_TILE > seenByAll) {
      for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
        let ends = limits[rowGroup + g * ROW_THREADS];
        for (var j = 0u; j < 4u * PANELS; j++) { // unrolled
          let isVisible = isSeen(vec4u(first + column + j * COLUMN_THREADS), ends, end, visible);
          scores[j * ROW_GROUPS + g] = select(vec4f(MASKED), scores[j * ROW_GROUPS + g], isVisible);
        }
      }
    }

    // Maxima of a thread's keys, then of its row's threads.
    for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
      var maximum = scores[g];
      for (var j = 0u; j < 4u * PANELS; j++) { // unrolled
        maximum = max(maximum, scores[j * ROW_GROUPS + g]);
      }
      weights[rowGroup + g * ROW_THREADS][column] = maximum;
    }
    workgroupBarrier();
    for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
      var maximum = maxima[g];
      for (var i = 0u; i < COLUMN_THREADS; i++) { // unrolled
        maximum = max(maximum, weights[rowGroup + g * ROW_THREADS][i]);
      }
      // Scores become weights relative to the new maximum; what was relative to the old one is scaled.
      let factors = exp2(LOG2_E * (maxima[g] - maximum));
      maxima[g] = maximum;
      sums[g] *= factors;
      for (var j = 0u; j < 4u * PANELS; j++) { // unrolled
        let weight = exp2(LOG2_E * (scores[j * ROW_GROUPS + g] - maximum));
        scores[j * ROW_GROUPS + g] = weight;
        sums[g] += weight;
      }
      for (var r = 0u; r < 4u; r++) { // unrolled
        for (var c = 0u; c < COLUMNS; c++) { // unrolled
          results[(4u * g + r) * COLUMNS + c] *= factors[r];
        }
      }
    }

    for (var panel = 0u; panel < KEY_TILE && first + panel < end; panel += PANEL) {
      // Everyone is done with the maxima or the last panel's weights, and with the keys or values.
      workgroupBarrier();
      for (var j = 0u; j < 4u; j++) { // unrolled
        for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
          weights[rowGroup + g * ROW_THREADS][column + j * COLUMN_THREADS] = scores[j * ROW_GROUPS + g];
        }
      }
      // The next panel's weights move to where these were.
      for (var i = 0u; i < KEPT_SCORES; i++) { // unrolled
        scores[i] = scores[i + 4u * ROW_GROUPS];
      }
      for (var part = 0u; part < PANEL / VALUE_KEYS; part++) {
        let firstKey = panel + part * VALUE_KEYS;
        if (first + firstKey >= end) { break; }
        if (part > 0u) { workgroupBarrier(); }
        storeValues(thread);
        workgroupBarrier();
        let next = firstKey + VALUE_KEYS;
        if (next < KEY_TILE && first + next < end) {
          loadValues(thread, valueStart, table, next);
        } else if (first + KEY_TILE < end) {
          loadScoring(thread, keyStart, 1u - table, 0u);
        }
        for (var four = 0u; four < VALUE_KEYS / 4u; four++) {
          for (var k = 0u; k < 4u; k++) { // unrolled
            var w = array<vec4f, ROW_GROUPS>();
            for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
              w[g] = weights[rowGroup + g * ROW_THREADS][part * VALUE_KEYS + 4u * four + k];
            }
            for (var c = 0u; c < COLUMNS; c++) { // unrolled
              let v = stage[(column + c * COLUMN_THREADS) * VALUE_SLOTS + 4u * four + k];
              for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
                for (var r = 0u; r < 4u; r++) { // unrolled
                  let at = (4u * g + r) * COLUMNS + c;
                  results[at] = fma(vec4f(w[g][r]), v, results[at]);
                }
              }
            }
          }
        }
      }
    }
    table = 1u - table;
  }

  // The sums of a row's threads.
  workgroupBarrier();
  for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
    weights[rowGroup + g * ROW_THREADS][column] = sums[g];
  }
  workgroupBarrier();
  for (var g = 0u; g < ROW_GROUPS; g++) { // unrolled
    var total = vec4f();
    for (var i = 0u; i < COLUMN_THREADS; i++) { total += weights[rowGroup + g * ROW_THREADS][i]; }
    for (var r = 0u; r < 4u; r++) { // unrolled
      let packed = firstRow + 4u * (rowGroup + g * ROW_THREADS) + r;
      if (packed <= lastRow) {
        let row = packed / params.headsPerPack;
        let head = firstHead + packed % params.headsPerPack;
        let factor = select(1.0, select(0.0, 1.0 / total[r], total[r] > 0.0), params.splits == 1u);
        for (var c = 0u; c < COLUMNS; c++) { // unrolled
          store(head, row, split, column + c * COLUMN_THREADS, factor * results[(4u * g + r) * COLUMNS + c]);
        }
        if (column == 0u) { storeSum(head, row, split, maxima[g][r], total[r]); }
      }
    }
  }
}

/// Four channels of a result.
fn store(head: u32, row: u32, split: u32, vector: u32, four: vec4f) {
  for (var i = 0u; i < 4u; i++) { // unrolled
    let channel = 4u * vector + i;
    if (params.splits == 1u) {
      let start = params.outOffset + head * params.outHeadStride + row * params.outRowStride;
      if (channel < params.outChannels) { out[start + channel] = four[i]; }
    } else if (channel < params.channels) {
      splitResults[splitStart(head, row, split) + channel] = four[i];
    }
  }
}

fn storeSum(head: u32, row: u32, split: u32, maximum: f32, sum: f32) {
  if (params.splits > 1u) {
    let start = splitStart(head, row, split) + params.channels;
    splitResults[start] = maximum;
    splitResults[start + 1u] = sum;
  } else if (params.hasLogSumExp == 1u) {
    var bits = NEGATIVE_INFINITY_BITS;
    if (sum > 0.0) { bits = bitcast<u32>(maximum + log(sum)); }
    logSumExp[params.logSumExpOffset + head * params.logSumExpHeadStride + row] = bits;
  }
}

fn splitStart(head: u32, row: u32, split: u32) -> u32 {
  return ((head * params.queryRows + row) * params.splits + split) * (params.channels + 2u);
}
