// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j] for few rows i, on a software adapter: no thread waits for another.
//
// Shapes     input [n, K] with n ≤ ROWS, weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and
//            weight count vectors of four; out has any.
// Grid       one thread per eight columns j, 16 a workgroup, linear from firstColumn; it takes columns x, x+16, … of the
//            workgroup's 128.
// Precision  32-bit sums in order of k.
// Equals     `matmul` of cpu.ts.
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
@group(0) @binding(2) var<storage, read> weight: array<Stored>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn store(row: u32, column: u32, sum: f32) {
  if (row >= params.rows || column >= params.endColumn) { return; }
  var value = sum;
  if (params.hasBias == 1u) { value += bias[column]; }
  let at = params.outOffset + row * params.outRowStride + column;
  if (params.accumulate == 1u) { value += out[at]; }
  out[at] = value;
}

fn weightRow(column: u32) -> u32 {
  return params.weightOffset + min(column, params.endColumn - 1u) * params.weightStride;
}

@compute @workgroup_size(16)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let column = params.firstColumn + 128u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let w0 = weightRow(column);
  let w1 = weightRow(column + 16u);
  let w2 = weightRow(column + 32u);
  let w3 = weightRow(column + 48u);
  let w4 = weightRow(column + 64u);
  let w5 = weightRow(column + 80u);
  let w6 = weightRow(column + 96u);
  let w7 = weightRow(column + 112u);
  var left = array<vec4f, ROWS>();
  var right = array<vec4f, ROWS>();
  for (var v = 0u; v < params.vectors; v++) {
    let b0 = numbers(weight[w0 + v]);
    let b1 = numbers(weight[w1 + v]);
    let b2 = numbers(weight[w2 + v]);
    let b3 = numbers(weight[w3 + v]);
    let b4 = numbers(weight[w4 + v]);
    let b5 = numbers(weight[w5 + v]);
    let b6 = numbers(weight[w6 + v]);
    let b7 = numbers(weight[w7 + v]);
    for (var row = 0u; row < ROWS; row++) {
      let x = input[params.inputOffset + min(row, params.rows - 1u) * params.inputStride + v];
      left[row] += vec4f(dot(x, b0), dot(x, b1), dot(x, b2), dot(x, b3));
      right[row] += vec4f(dot(x, b4), dot(x, b5), dot(x, b6), dot(x, b7));
    }
  }
  for (var row = 0u; row < ROWS; row++) {
    for (var c = 0u; c < 4u; c++) {
      store(row, column + 16u * c, left[row][c]);
      store(row, column + 64u + 16u * c, right[row][c]);
    }
  }
}
