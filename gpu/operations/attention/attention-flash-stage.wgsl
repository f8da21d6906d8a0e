// How attention-flash.wgsl brings queries, keys and values into workgroup memory: each part of them waits in registers while the one
// before it is used. A part of that kernel, whose constants and tables of rows it uses.

const QUERY_UNITS = TILE_ROW_GROUPS * SLICE;
const KEY_UNITS = KEY_GROUPS * SLICE;
const SCORING_SLOTS = CHANNELS | 1u;
const VALUE_SLOTS = VALUE_KEYS | 1u;
const STAGE = max((TILE_ROW_GROUPS + KEY_GROUPS) * SCORING_SLOTS, TILE_COLUMNS * VALUE_SLOTS);

/// Groups of four query rows, then groups of four keys, by channel; or columns of four channels, by key.
var<workgroup> stage: array<vec4f, STAGE>;
/// The next part of workgroup memory.
var<private> loaded: array<vec4f, max(4u * (QUERY_LOADS + KEY_LOADS), VALUE_LOADS)>;

/// Loads a part of queries and keys: four rows at CHANNELS channels each.
fn loadScoring(thread: u32, keyStart: u32, table: u32, firstVector: u32) {
  let last = params.channels / 4u - 1u;
  for (var i = 0u; i < QUERY_LOADS; i++) { // unrolled
    let unit = (thread + i * THREADS) % QUERY_UNITS;
    let starts = queryStarts[unit / SLICE] + min(firstVector + unit % SLICE, last);
    for (var c = 0u; c < 4u; c++) { // unrolled
      loaded[4u * i + c] = query[starts[c]];
    }
  }
  for (var i = 0u; i < KEY_LOADS; i++) { // unrolled
    let unit = (thread + i * THREADS) % KEY_UNITS;
    let group = unit / SLICE;
    let start = keyStart + min(firstVector + unit % SLICE, last);
    // Neighbouring threads score neighbouring keys.
    let at = group / COLUMN_THREADS * PANEL + group % COLUMN_THREADS;
    for (var c = 0u; c < 4u; c++) { // unrolled
      loaded[4u * QUERY_LOADS + 4u * i + c] = key[start + keyRows[table % 2u][at + c * COLUMN_THREADS] * params.keyRowStride];
    }
  }
}

/// Puts what was loaded into workgroup memory, queries multiplied by the scale, with zeros beyond the last channel.
fn storeScoring(thread: u32, firstVector: u32) {
  for (var i = 0u; i < QUERY_LOADS; i++) { // unrolled
    let unit = (thread + i * THREADS) % QUERY_UNITS;
    let at = 4u * i;
    let channels = transpose(mat4x4f(loaded[at], loaded[at + 1u], loaded[at + 2u], loaded[at + 3u]));
    let isThere = firstVector + unit % SLICE < params.channels / 4u;
    if (thread + i * THREADS < QUERY_UNITS) {
      for (var c = 0u; c < 4u; c++) { // unrolled
        stage[unit / SLICE * SCORING_SLOTS + 4u * (unit % SLICE) + c] = select(vec4f(), params.scale * channels[c], isThere);
      }
    }
  }
  for (var i = 0u; i < KEY_LOADS; i++) { // unrolled
    let unit = (thread + i * THREADS) % KEY_UNITS;
    let at = 4u * (QUERY_LOADS + i);
    let channels = transpose(mat4x4f(loaded[at], loaded[at + 1u], loaded[at + 2u], loaded[at + 3u]));
    let isThere = firstVector + unit % SLICE < params.channels / 4u;
    if (thread + i * THREADS < KEY_UNITS) {
      for (var c = 0u; c < 4u; c++) { // unrolled
        stage[(TILE_ROW_GROUPS + unit / SLICE) * SCORING_SLOTS + 4u * (unit % SLICE) + c] = select(vec4f(), channels[c], isThere);
      }
    }
  }
}

fn loadValues(thread: u32, valueStart: u32, table: u32, firstKey: u32) {
  let last = params.channels / 4u - 1u;
  for (var i = 0u; i < VALUE_LOADS; i++) { // unrolled
    let unit = thread % THREADS + i * THREADS;
    let row = keyRows[table % 2u][(firstKey + unit / TILE_COLUMNS) % KEY_TILE];
    loaded[i] = value[valueStart + row * params.valueRowStride + min(unit % TILE_COLUMNS, last)];
  }
}

fn storeValues(thread: u32) {
  for (var i = 0u; i < VALUE_LOADS; i++) { // unrolled
    let unit = thread % THREADS + i * THREADS;
    if (unit < VALUE_KEYS * TILE_COLUMNS) { stage[unit % TILE_COLUMNS * VALUE_SLOTS + unit / TILE_COLUMNS] = loaded[i]; }
  }
}
