// Tiles of attention maps, pooled to pixels: pixel (y, x) of a tile covers the query rows tile.row + [y, y + 1)·tokensPerPixel,
// of which every rowStep-th is evaluated, and the key rows tile.key + [x, x + 1)·tokensPerPixel. Its maximum and mean are over
// the cells that queries see (mask.wgsl) of exp(score − logSumExp_i); the third plane is the largest of probability ×
// factor_i, or × firstFactor for t < firstKeys. A pixel without any cell holds 0.
//
// Shapes     query [H, n, d], key [G, m, d], their d, offsets and strides in vectors of four; logSumExp, factors [H, n];
//            tiles [·, 3]: head, row, key; out [tiles, 3, height, width].
// Grid       one thread per pixel, 64 neighbours of a pixel row a workgroup; workgroups.x over x, workgroups.y over the pixel
//            rows of all tiles from firstUnit. ROWS query rows and four keys are evaluated at a time.
// Precision  32-bit.
// Equals     `attentionTiles` of cpu.ts.
//
// Constants  ROWS: query rows at a time.

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

const THREADS = 64u;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let unit = params.firstUnit + workgroup.y;
  let tile = unit / params.unitsPerTile;
  let y = unit % params.unitsPerTile;
  let x = workgroup.x * THREADS + thread;
  if (x >= params.width) { return; }
  let head = tiles[3u * tile];
  let queryStart = params.queryOffset + head * params.queryHeadStride;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride;
  let lseStart = params.logSumExpOffset + head * params.logSumExpHeadStride;
  let factorStart = params.factorOffset + head * params.factorHeadStride;
  let firstRow = tiles[3u * tile + 1u] + y * params.tokensPerPixel;
  let endRow = min(firstRow + params.tokensPerPixel, params.queryRows);
  let firstKey = tiles[3u * tile + 2u] + x * params.tokensPerPixel;
  let endKey = min(firstKey + params.tokensPerPixel, params.keyRows);

  var largest = 0.0;
  var sum = 0.0;
  var excess = 0.0;
  var cells = 0u;
  for (var block = firstRow; block < endRow; block += ROWS * params.rowStep) {
    let lastRow = min(block + (ROWS - 1u) * params.rowStep, endRow - 1u);
    let end = min(endKey, limit(lastRow));
    for (var t = max(firstKey, firstSeen(block)); t < end; t += 4u) {
      // Keys and rows beyond the end repeat the last one.
      let k0 = keyStart + t * params.keyRowStride;
      let k1 = keyStart + min(t + 1u, end - 1u) * params.keyRowStride;
      let k2 = keyStart + min(t + 2u, end - 1u) * params.keyRowStride;
      let k3 = keyStart + min(t + 3u, end - 1u) * params.keyRowStride;
      var scores = array<vec4f, ROWS>();
      for (var v = 0u; v < params.vectors; v++) {
        let b0 = key[k0 + v];
        let b1 = key[k1 + v];
        let b2 = key[k2 + v];
        let b3 = key[k3 + v];
        for (var r = 0u; r < ROWS; r++) {
          let row = min(block + r * params.rowStep, endRow - 1u);
          let q = query[queryStart + row * params.queryRowStride + v];
          scores[r] += vec4f(dot(q, b0), dot(q, b1), dot(q, b2), dot(q, b3));
        }
      }
      for (var r = 0u; r < ROWS; r++) {
        let row = block + r * params.rowStep;
        if (row < endRow) {
          let lse = logSumExp[lseStart + row];
          let factor = factors[factorStart + row];
          let seen = min(end, limit(row));
          let rowScores = capped(params.scale * scores[r]);
          for (var j = 0u; j < 4u && t + j < seen; j++) {
            if (WINDOWED && t + j < firstSeen(row)) { continue; }
            let probability = exp(rowScores[j] - lse);
            largest = max(largest, probability);
            sum += probability;
            excess = max(excess, probability * select(factor, params.firstFactor, t + j < params.firstKeys));
            cells++;
          }
        }
      }
    }
  }
  let pixels = params.width * params.height;
  let at = params.outOffset + tile * 3u * pixels + y * params.width + x;
  out[at] = largest;
  out[at + pixels] = select(0.0, sum / f32(cells), cells > 0u);
  out[at + 2u * pixels] = excess;
}
