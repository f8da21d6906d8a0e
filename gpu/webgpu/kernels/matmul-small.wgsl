// out[i, j] (+)= Σ_k input[i, k] · weight[j, k] + bias[j] for products too small for the 64 × 64 tiles of matmul.wgsl to keep a
// GPU busy: the same in smaller tiles.
//
// Shapes     input [n, K], weight [M, K], bias [M], out [n, M]. K, the offsets and strides of input and weight count vectors
//            of four; out has any.
// Grid       one workgroup of 8 × 8 threads per (8·ROWS) × 32 tile of out; workgroups.x over j, workgroups.y over i.
// Precision  32-bit sums in order of k.
// Equals     `matmul` of gpu/cpu.
//
// Thread (x, y) holds rows y, y+8, … and columns x, x+8, x+16, x+24 of the tile. Rows and columns beyond the end repeat the
// last one and are not stored.
//
// Constants  ROWS: 1, 2 or 4.

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

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) thread: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let firstRow = params.firstRow + workgroup.y * 8u * ROWS + thread.y;
  let columns = vec4u(params.firstColumn + workgroup.x * 32u + thread.x) + vec4u(0u, 8u, 16u, 24u);
  let w = vec4u(params.weightOffset) + min(columns, vec4u(params.endColumn - 1u)) * params.weightStride;
  var starts = array<u32, ROWS>();
  for (var r = 0u; r < ROWS; r++) {
    starts[r] = params.inputOffset + min(firstRow + 8u * r, params.endRow - 1u) * params.inputStride;
  }
  var sums = array<vec4f, ROWS>();
  for (var v = 0u; v < params.vectors; v++) {
    let b0 = weight[w.x + v];
    let b1 = weight[w.y + v];
    let b2 = weight[w.z + v];
    let b3 = weight[w.w + v];
    for (var r = 0u; r < ROWS; r++) {
      let a = input[starts[r] + v];
      sums[r] += vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
    }
  }
  for (var r = 0u; r < ROWS; r++) {
    let row = firstRow + 8u * r;
    for (var c = 0u; c < 4u; c++) {
      let column = columns[c];
      if (row < params.endRow && column < params.endColumn) {
        var value = sums[r][c];
        if (params.hasBias == 1u) { value += bias[column]; }
        let at = params.outOffset + row * params.outRowStride + column;
        if (params.accumulate == 1u) { value += out[at]; }
        out[at] = value;
      }
    }
  }
}
