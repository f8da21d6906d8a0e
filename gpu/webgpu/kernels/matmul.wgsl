// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j]
//
// Shapes     input [n, K], weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and weight count vectors
//            of four; out has any.
// Grid       one workgroup of 16 × 16 threads per 64 × 64 tile of out; workgroups.x over j, workgroups.y over i.
// Precision  32-bit sums in order of k.
// Equals     `matmul` of gpu/cpu.
//
// Both operands have k as their fastest dimension, so tiles of 64 rows × 16 k are kept as vectors along k, a row being four
// vectors and one of padding, which spreads rows over the memory banks. A thread owns rows r, r+16, r+32, r+48 and the same
// pattern of columns.

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

const TILE = 64u;
const PITCH = 5u;

var<workgroup> inputTile: array<vec4f, TILE * PITCH>;
var<workgroup> weightTile: array<vec4f, TILE * PITCH>;

fn loadInput(row: u32, vector: u32) -> vec4f {
  if (row >= params.endRow || vector >= params.vectors) { return vec4f(); }
  return input[params.inputOffset + row * params.inputStride + vector];
}

fn loadWeight(row: u32, vector: u32) -> vec4f {
  if (row >= params.endColumn || vector >= params.vectors) { return vec4f(); }
  return weight[params.weightOffset + row * params.weightStride + vector];
}

fn store(row: u32, firstColumn: u32, sums: vec4f) {
  if (row >= params.endRow) { return; }
  for (var c = 0u; c < 4u; c++) {
    let column = firstColumn + 16u * c;
    if (column >= params.endColumn) { return; }
    var value = sums[c];
    if (params.hasBias == 1u) { value += bias[column]; }
    let at = params.outOffset + row * params.outRowStride + column;
    if (params.accumulate == 1u) { value += out[at]; }
    out[at] = value;
  }
}

@compute @workgroup_size(16, 16)
fn main(@builtin(local_invocation_id) thread: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let index = thread.y * 16u + thread.x;
  let firstRow = params.firstRow + workgroup.y * TILE;
  let firstColumn = params.firstColumn + workgroup.x * TILE;
  let loadRow = index / 4u;
  let loadVector = index % 4u;
  var sums0 = vec4f();
  var sums1 = vec4f();
  var sums2 = vec4f();
  var sums3 = vec4f();
  for (var first = 0u; first < params.vectors; first += 4u) {
    inputTile[loadRow * PITCH + loadVector] = loadInput(firstRow + loadRow, first + loadVector);
    weightTile[loadRow * PITCH + loadVector] = loadWeight(firstColumn + loadRow, first + loadVector);
    workgroupBarrier();
    for (var vector = 0u; vector < 4u; vector++) {
      let w0 = weightTile[thread.x * PITCH + vector];
      let w1 = weightTile[(thread.x + 16u) * PITCH + vector];
      let w2 = weightTile[(thread.x + 32u) * PITCH + vector];
      let w3 = weightTile[(thread.x + 48u) * PITCH + vector];
      let i0 = inputTile[thread.y * PITCH + vector];
      let i1 = inputTile[(thread.y + 16u) * PITCH + vector];
      let i2 = inputTile[(thread.y + 32u) * PITCH + vector];
      let i3 = inputTile[(thread.y + 48u) * PITCH + vector];
      sums0 += vec4f(dot(i0, w0), dot(i0, w1), dot(i0, w2), dot(i0, w3));
      sums1 += vec4f(dot(i1, w0), dot(i1, w1), dot(i1, w2), dot(i1, w3));
      sums2 += vec4f(dot(i2, w0), dot(i2, w1), dot(i2, w2), dot(i2, w3));
      sums3 += vec4f(dot(i3, w0), dot(i3, w1), dot(i3, w2), dot(i3, w3));
    }
    workgroupBarrier();
  }
  let row = firstRow + thread.y;
  let column = firstColumn + thread.x;
  store(row, column, sums0);
  store(row + 16u, column, sums1);
  store(row + 32u, column, sums2);
  store(row + 48u, column, sums3);
}
