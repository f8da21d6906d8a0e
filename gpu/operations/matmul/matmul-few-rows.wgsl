// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j] for few rows i: every weight is read once.
//
// Shapes     input [n, K] with n ≤ ROWS, weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and
//            weight count vectors of four; out has any.
// Grid       one workgroup of 64 threads per 64 / LANES columns j, linear from firstColumn; LANES threads share a column, each
//            taking every LANES-th vector along k, and add up their sums two by two.
// Precision  32-bit sums.
// Equals     `matmul` of cpu.ts.
//
// Constants  ROWS: 1, 2, 4 or 8. LANES: a power of two up to 64; with more of them, more of the weights are in flight at a time.

struct Params {
  firstColumn: u32,
  endColumn: u32,
  rows: u32,
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
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const THREADS = 64u;
const COLUMNS = THREADS / LANES;

var<workgroup> partial: array<f32, ROWS * THREADS>;

fn store(row: u32, column: u32, sum: f32) {
  if (row >= params.rows || column >= params.endColumn) { return; }
  var value = sum;
  if (params.hasBias == 1u) { value += bias[column]; }
  let at = params.outOffset + row * params.outRowStride + column;
  if (params.accumulate == 1u) { value += out[at]; }
  out[at] = value;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let lane = thread % LANES;
  let firstColumn = params.firstColumn + COLUMNS * (workgroup.y * workgroups.x + workgroup.x);
  // Columns beyond the end repeat the last one and are not stored.
  let column = min(firstColumn + thread / LANES, params.endColumn - 1u);
  let start = params.weightOffset + column * params.weightStride;
  var sums = array<f32, ROWS>();
  var v = lane;
  // Four loads before the first of them is needed.
  for (; v + 3u * LANES < params.vectors; v += 4u * LANES) {
    let w0 = numbers(weight[start + v]);
    let w1 = numbers(weight[start + v + LANES]);
    let w2 = numbers(weight[start + v + 2u * LANES]);
    let w3 = numbers(weight[start + v + 3u * LANES]);
    for (var row = 0u; row < ROWS; row++) { // unrolled
      let at = params.inputOffset + min(row, params.rows - 1u) * params.inputStride + v;
      sums[row] += dot(input[at], w0) + dot(input[at + LANES], w1) +
        (dot(input[at + 2u * LANES], w2) + dot(input[at + 3u * LANES], w3));
    }
  }
  for (; v < params.vectors; v += LANES) {
    let w = numbers(weight[start + v]);
    for (var row = 0u; row < ROWS; row++) { // unrolled
      sums[row] += dot(input[params.inputOffset + min(row, params.rows - 1u) * params.inputStride + v], w);
    }
  }
  for (var row = 0u; row < ROWS; row++) { partial[row * THREADS + thread] = sums[row]; }
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      for (var row = 0u; row < ROWS; row++) { partial[row * THREADS + thread] += partial[row * THREADS + thread + half]; }
    }
  }
  workgroupBarrier();
  for (var result = thread; result < ROWS * COLUMNS; result += THREADS) {
    store(result / COLUMNS, firstColumn + result % COLUMNS, partial[result / COLUMNS * THREADS + result % COLUMNS * LANES]);
  }
}
