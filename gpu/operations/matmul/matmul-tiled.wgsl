// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j], for devices whose workgroup memory is fast.
//
// Shapes     input [n, K], weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and weight count vectors
//            of four; out has any (store-vec4-scalars.wgsl) or whole ones (store-vec4-vectors.wgsl).
// Grid       one workgroup per block of LEFT_ROWS × RIGHT_ROWS of out (gemm-tile.wgsl); workgroups.x over j, .y over i.
// Precision  32-bit fused sums in order of k.
// Equals     `matmul` of cpu.ts.
//
// Rows and columns beyond the end repeat the last one and are not stored.

struct Params {
  firstRow: u32,
  endRow: u32,
  firstColumn: u32,
  endColumn: u32,
  vectors: u32,
  inputOffset: u32,
  inputStride: u32,
  weightOffset: u32,
  weightStride: u32,
  outOffset: u32,
  outRowStride: u32,
  hasBias: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<Stored>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<Element>;

fn leftStart(row: u32) -> u32 {
  return params.inputOffset + min(row, params.endRow - 1u) * params.inputStride;
}

fn rightStart(row: u32) -> u32 {
  return params.weightOffset + min(row, params.endColumn - 1u) * params.weightStride;
}

fn leftVector(start: u32, vector: u32) -> vec4f {
  return input[start + vector];
}

fn rightVector(start: u32, vector: u32) -> vec4f {
  return numbers(weight[start + vector]);
}

/// Four biases; the last one again beyond the end.
fn biasAt(column: u32) -> vec4f {
  let last = params.endColumn - 1u;
  return vec4f(bias[column], bias[min(column + 1u, last)], bias[min(column + 2u, last)], bias[min(column + 3u, last)]);
}

fn store(row: u32, column: u32, sums: vec4f) {
  if (row >= params.endRow || column >= params.endColumn) { return; }
  var four = sums;
  if (params.hasBias == 1u) { four += biasAt(column); }
  let at = params.outOffset + row * params.outRowStride + column;
  let count = params.endColumn - column;
  if (params.accumulate == 1u) { four += loadVec4(at, count); }
  storeVec4(at, count, four);
}

@compute @workgroup_size(WIDE * HIGH * SPLIT_K)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let firstRow = params.firstRow + workgroup.y * LEFT_ROWS;
  let firstColumn = params.firstColumn + workgroup.x * RIGHT_ROWS;
  var sums = Product();
  addProduct(&sums, thread, firstRow, firstColumn, params.vectors);
  if (thread >= SPLIT_THREADS) { return; }
  for (var r = 0u; r < 4u * ROW_GROUPS; r++) { // unrolled
    for (var g = 0u; g < COLUMN_GROUPS; g++) { // unrolled
      store(firstRow + productRow(thread, r), firstColumn + productColumn(thread, g), sums[r * COLUMN_GROUPS + g]);
    }
  }
}
