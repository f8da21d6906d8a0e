// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j]
//
// Shapes     input [n, K], weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and weight count vectors
//            of four; out has any.
// Grid       one workgroup of 8 × 8 threads per 64 × 64 tile of out; workgroups.x over j, workgroups.y over i.
// Precision  32-bit sums in order of k.
// Equals     `matmul` of cpu.ts.
//
// Thread (x, y) holds rows y, y+8, …, y+56 and columns x, x+8, …, x+56 of the tile in registers: 16 loads for 64 products of
// vectors. Neighbours load the same rows, which the cache serves; workgroup memory would cost software rasterisers ten times
// the time. Rows and columns beyond the end repeat the last one and are not stored.

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
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn inputRow(row: u32) -> u32 {
  return params.inputOffset + min(row, params.endRow - 1u) * params.inputStride;
}

fn weightRow(column: u32) -> u32 {
  return params.weightOffset + min(column, params.endColumn - 1u) * params.weightStride;
}

fn store(row: u32, column: u32, sum: f32) {
  if (column >= params.endColumn) { return; }
  var value = sum;
  if (params.hasBias == 1u) { value += bias[column]; }
  let at = params.outOffset + row * params.outRowStride + column;
  if (params.accumulate == 1u) { value += out[at]; }
  out[at] = value;
}

fn storeRow(row: u32, column: u32, left: vec4f, right: vec4f) {
  if (row >= params.endRow) { return; }
  for (var c = 0u; c < 4u; c++) {
    store(row, column + 8u * c, left[c]);
    store(row, column + 32u + 8u * c, right[c]);
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) thread: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let row = params.firstRow + workgroup.y * 64u + thread.y;
  let column = params.firstColumn + workgroup.x * 64u + thread.x;
  let i0 = inputRow(row + 0u);
  let i1 = inputRow(row + 8u);
  let i2 = inputRow(row + 16u);
  let i3 = inputRow(row + 24u);
  let i4 = inputRow(row + 32u);
  let i5 = inputRow(row + 40u);
  let i6 = inputRow(row + 48u);
  let i7 = inputRow(row + 56u);
  let w0 = weightRow(column + 0u);
  let w1 = weightRow(column + 8u);
  let w2 = weightRow(column + 16u);
  let w3 = weightRow(column + 24u);
  let w4 = weightRow(column + 32u);
  let w5 = weightRow(column + 40u);
  let w6 = weightRow(column + 48u);
  let w7 = weightRow(column + 56u);
  var left0 = vec4f();
  var right0 = vec4f();
  var left1 = vec4f();
  var right1 = vec4f();
  var left2 = vec4f();
  var right2 = vec4f();
  var left3 = vec4f();
  var right3 = vec4f();
  var left4 = vec4f();
  var right4 = vec4f();
  var left5 = vec4f();
  var right5 = vec4f();
  var left6 = vec4f();
  var right6 = vec4f();
  var left7 = vec4f();
  var right7 = vec4f();
  for (var v = 0u; v < params.vectors; v++) {
    let b0 = numbers(weight[w0 + v]);
    let b1 = numbers(weight[w1 + v]);
    let b2 = numbers(weight[w2 + v]);
    let b3 = numbers(weight[w3 + v]);
    let b4 = numbers(weight[w4 + v]);
    let b5 = numbers(weight[w5 + v]);
    let b6 = numbers(weight[w6 + v]);
    let b7 = numbers(weight[w7 + v]);
    let a0 = input[i0 + v];
    left0 += vec4f(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
    right0 += vec4f(dot(a0, b4), dot(a0, b5), dot(a0, b6), dot(a0, b7));
    let a1 = input[i1 + v];
    left1 += vec4f(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
    right1 += vec4f(dot(a1, b4), dot(a1, b5), dot(a1, b6), dot(a1, b7));
    let a2 = input[i2 + v];
    left2 += vec4f(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
    right2 += vec4f(dot(a2, b4), dot(a2, b5), dot(a2, b6), dot(a2, b7));
    let a3 = input[i3 + v];
    left3 += vec4f(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    right3 += vec4f(dot(a3, b4), dot(a3, b5), dot(a3, b6), dot(a3, b7));
    let a4 = input[i4 + v];
    left4 += vec4f(dot(a4, b0), dot(a4, b1), dot(a4, b2), dot(a4, b3));
    right4 += vec4f(dot(a4, b4), dot(a4, b5), dot(a4, b6), dot(a4, b7));
    let a5 = input[i5 + v];
    left5 += vec4f(dot(a5, b0), dot(a5, b1), dot(a5, b2), dot(a5, b3));
    right5 += vec4f(dot(a5, b4), dot(a5, b5), dot(a5, b6), dot(a5, b7));
    let a6 = input[i6 + v];
    left6 += vec4f(dot(a6, b0), dot(a6, b1), dot(a6, b2), dot(a6, b3));
    right6 += vec4f(dot(a6, b4), dot(a6, b5), dot(a6, b6), dot(a6, b7));
    let a7 = input[i7 + v];
    left7 += vec4f(dot(a7, b0), dot(a7, b1), dot(a7, b2), dot(a7, b3));
    right7 += vec4f(dot(a7, b4), dot(a7, b5), dot(a7, b6), dot(a7, b7));
  }
  storeRow(row, column, left0, right0);
  storeRow(row + 8u, column, left1, right1);
  storeRow(row + 16u, column, left2, right2);
  storeRow(row + 24u, column, left3, right3);
  storeRow(row + 32u, column, left4, right4);
  storeRow(row + 40u, column, left5, right5);
  storeRow(row + 48u, column, left6, right6);
  storeRow(row + 56u, column, left7, right7);
}
