// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j] for few rows i: every weight is read once.
//
// Shapes     input [n, K] with n ≤ ROWS, weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and
//            weight count vectors of four; out has any.
// Grid       one workgroup of 64 threads per 16 columns j, linear from firstColumn; 16 threads share four columns, each taking
//            every 16th vector along k; then a thread per row and column adds up the 16 sums.
// Precision  32-bit sums.
// Equals     `matmul` of gpu/cpu.
//
// Constants  ROWS: 1, 2, 4 or 8.

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
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const LANES = 16u;
const COLUMNS = 16u;

var<workgroup> partial: array<vec4f, ROWS * 64u>;

fn store(row: u32, column: u32, sum: f32) {
  if (row >= params.rows || column >= params.endColumn) { return; }
  var value = sum;
  if (params.hasBias == 1u) { value += bias[column]; }
  let at = params.outOffset + row * params.outRowStride + column;
  if (params.accumulate == 1u) { value += out[at]; }
  out[at] = value;
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let lane = thread % LANES;
  let firstColumn = params.firstColumn + COLUMNS * (workgroup.y * workgroups.x + workgroup.x);
  // Columns beyond the end repeat the last one and are not stored.
  let columns = min(vec4u(firstColumn + thread / LANES * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(params.endColumn - 1u));
  let starts = vec4u(params.weightOffset) + columns * params.weightStride;
  var sums = array<vec4f, ROWS>();
  for (var v = lane; v < params.vectors; v += LANES) {
    let w0 = weight[starts.x + v];
    let w1 = weight[starts.y + v];
    let w2 = weight[starts.z + v];
    let w3 = weight[starts.w + v];
    for (var row = 0u; row < ROWS; row++) {
      let x = input[params.inputOffset + min(row, params.rows - 1u) * params.inputStride + v];
      sums[row] += vec4f(dot(x, w0), dot(x, w1), dot(x, w2), dot(x, w3));
    }
  }
  for (var row = 0u; row < ROWS; row++) { partial[row * 64u + thread] = sums[row]; }
  workgroupBarrier();
  for (var result = thread; result < ROWS * COLUMNS; result += 64u) {
    let row = result / COLUMNS;
    let column = result % COLUMNS;
    let first = row * 64u + column / 4u * LANES;
    var sum = 0.0;
    for (var other = 0u; other < LANES; other++) { sum += partial[first + other][column % 4u]; }
    store(row, firstColumn + column, sum);
  }
}
