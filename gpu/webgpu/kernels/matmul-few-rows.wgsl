// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j] for few rows i: every weight is read once.
//
// Shapes     input [n, K] with n ≤ ROWS, weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and
//            weight count vectors of four; out has any.
// Grid       one workgroup of 64 threads per four columns j, linear; 16 threads share a column, each taking every 16th
//            vector along k; then a thread per row and column adds up the 16 sums.
// Precision  32-bit sums.
// Equals     `matmul` of gpu/cpu.
//
// Constants  ROWS: 1, 2, 4 or 8.

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
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const LANES = 16u;
const COLUMNS = 4u;

var<workgroup> partial: array<f32, ROWS * 64u>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let lane = thread % LANES;
  let firstColumn = params.firstColumn + COLUMNS * (workgroup.y * workgroups.x + workgroup.x);
  let column = firstColumn + thread / LANES;
  var sums = array<f32, ROWS>();
  if (column < params.endColumn) {
    let weightRow = params.weightOffset + column * params.weightStride;
    for (var vector = lane; vector < params.vectors; vector += LANES) {
      let w = weight[weightRow + vector];
      for (var row = 0u; row < ROWS; row++) {
        if (row < params.endRow) {
          sums[row] += dot(w, input[params.inputOffset + row * params.inputStride + vector]);
        }
      }
    }
  }
  for (var row = 0u; row < ROWS; row++) { partial[row * 64u + thread] = sums[row]; }
  workgroupBarrier();
  // One thread per row and column adds up the lanes.
  let resultRow = thread / COLUMNS;
  let resultColumn = firstColumn + thread % COLUMNS;
  if (resultRow < params.endRow && resultColumn < params.endColumn) {
    var value = 0.0;
    let first = resultRow * 64u + thread % COLUMNS * LANES;
    for (var other = 0u; other < LANES; other++) { value += partial[first + other]; }
    if (params.hasBias == 1u) { value += bias[resultColumn]; }
    let at = params.outOffset + resultRow * params.outRowStride + resultColumn;
    if (params.accumulate == 1u) { value += out[at]; }
    out[at] = value;
  }
}
