// One head's attention map, pooled to pixels: pixel (y, x) covers query rows [⌊y·n/height⌋, ⌈(y+1)·n/height⌉), of which every
// rowStep-th is evaluated, and key rows [⌊x·m/width⌋, ⌈(x+1)·m/width⌉). maximum and mean are over the cells with
// t ≤ i + causalOffset of exp(q_i·k_t·scale − logSumExp_i); a pixel without any holds 0.
//
// Shapes     query [n, d], key [m, d], their d, offsets and strides in vectors of four; logSumExp [n];
//            maximum and mean [height, width].
// Grid       one thread per pixel, 64 neighbours of a pixel row a workgroup; workgroups.x over x, workgroups.y over pixel rows
//            from firstLine. ROWS query rows and four keys are evaluated at a time.
// Precision  32-bit.
// Equals     `attentionTile` of gpu/cpu.
//
// Constants  ROWS: query rows at a time.

struct Params {
  firstLine: u32,
  width: u32,
  height: u32,
  rowStep: u32,
  queryRows: u32,
  keyRows: u32,
  vectors: u32,
  scale: f32,
  causalOffset: u32,
  queryOffset: u32,
  queryRowStride: u32,
  keyOffset: u32,
  keyRowStride: u32,
  logSumExpOffset: u32,
  outOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> logSumExp: array<f32>;
@group(0) @binding(4) var<storage, read_write> maximum: array<f32>;
@group(0) @binding(5) var<storage, read_write> mean: array<f32>;

const THREADS = 64u;

fn limit(row: u32) -> u32 {
  return u32(clamp(i32(row) + bitcast<i32>(params.causalOffset) + 1, 0, i32(params.keyRows)));
}

/// Where a key row starts; those beyond the end repeat the last one.
fn keyStart(row: u32, end: u32) -> u32 {
  return params.keyOffset + min(row, end - 1u) * params.keyRowStride;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let y = params.firstLine + workgroup.y;
  let x = workgroup.x * THREADS + thread;
  let firstRow = y * params.queryRows / params.height;
  let endRow = ((y + 1u) * params.queryRows + params.height - 1u) / params.height;
  let isPixel = x < params.width;
  let firstKey = x * params.keyRows / params.width;
  let endKey = select(0u, ((x + 1u) * params.keyRows + params.width - 1u) / params.width, isPixel);

  var largest = 0.0;
  var sum = 0.0;
  var cells = 0u;
  for (var block = firstRow; block < endRow; block += ROWS * params.rowStep) {
    let lastRow = min(block + (ROWS - 1u) * params.rowStep, endRow - 1u);
    let end = min(endKey, limit(lastRow));
    for (var t = firstKey; t < end; t += 4u) {
      let k0 = keyStart(t, end);
      let k1 = keyStart(t + 1u, end);
      let k2 = keyStart(t + 2u, end);
      let k3 = keyStart(t + 3u, end);
      var scores = array<vec4f, ROWS>();
      for (var v = 0u; v < params.vectors; v++) {
        let b0 = key[k0 + v];
        let b1 = key[k1 + v];
        let b2 = key[k2 + v];
        let b3 = key[k3 + v];
        for (var r = 0u; r < ROWS; r++) {
          let row = min(block + r * params.rowStep, endRow - 1u);
          let q = query[params.queryOffset + row * params.queryRowStride + v];
          scores[r] += vec4f(dot(q, b0), dot(q, b1), dot(q, b2), dot(q, b3));
        }
      }
      for (var r = 0u; r < ROWS; r++) {
        let row = block + r * params.rowStep;
        if (row < endRow) {
          let lse = logSumExp[params.logSumExpOffset + row];
          let seen = min(end, limit(row));
          for (var j = 0u; j < 4u && t + j < seen; j++) {
            let weight = exp(params.scale * scores[r][j] - lse);
            largest = max(largest, weight);
            sum += weight;
            cells++;
          }
        }
      }
    }
  }
  if (isPixel) {
    let at = params.outOffset + y * params.width + x;
    maximum[at] = largest;
    mean[at] = select(0.0, sum / f32(cells), cells > 0u);
  }
}
