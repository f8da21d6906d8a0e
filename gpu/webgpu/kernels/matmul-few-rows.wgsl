// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j] for few rows i: every weight is read once.
//
// Shapes     input [n, K] with n ≤ ROWS, weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and
//            weight count vectors of four; out has any.
// Grid       one workgroup of 64 threads per four columns j, linear; 16 threads share a column, each taking every 16th
//            vector along k, and their sums are added in a tree.
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

var<workgroup> partial: array<f32, ROWS * 64u>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let lane = thread % LANES;
  let column = params.firstColumn + 4u * (workgroup.y * workgroups.x + workgroup.x) + thread / LANES;
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
  for (var reach = LANES / 2u; reach > 0u; reach /= 2u) {
    if (lane < reach) {
      for (var row = 0u; row < ROWS; row++) {
        partial[row * 64u + thread] += partial[row * 64u + thread + reach];
      }
    }
    workgroupBarrier();
  }
  // The lanes of a column take its rows, LANES being at least ROWS.
  if (column < params.endColumn && lane < params.endRow) {
    var value = partial[lane * 64u + thread - lane];
    if (params.hasBias == 1u) { value += bias[column]; }
    let at = params.outOffset + lane * params.outRowStride + column;
    if (params.accumulate == 1u) { value += out[at]; }
    out[at] = value;
  }
}
