// out[h, i, c] (+)= Σ_t matrix[⌊h · M / H⌋, i, t] · input[h, t, c]: a matrix along tokens.
//
// Shapes     matrix [M, N, T], input [heads, tokens, channels], out [heads, N, channels], any strides; those of input and out, and
//            channels, count in elements.
// Grid       one thread per ROWS rows of out and element of them, 64 a workgroup, linear from firstRow: neighbours share numbers of
//            the matrix and read neighbouring elements of a token.
// Precision  32-bit sums in order of t.
// Equals     `mixRows` of cpu.ts.
//
// Constants  ROWS: rows of out that a thread has; those beyond the end repeat the last and are not stored. ACCUMULATE.
// Types      Element: f32, or vec4f where all rows can be read so.

struct Params {
  heads: u32,
  headsPerMatrix: u32,
  tokens: u32,
  channels: u32,
  firstRow: u32,
  endRow: u32,
  matrixOffset: u32,
  matrixHeadStride: u32,
  matrixRowStride: u32,
  inputOffset: u32,
  inputHeadStride: u32,
  inputRowStride: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read> input: array<Element>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let blocks = (params.endRow - params.firstRow + ROWS - 1u) / ROWS;
  let channel = item % params.channels;
  let firstRow = params.firstRow + item / params.channels % blocks * ROWS;
  let head = item / params.channels / blocks;
  if (head >= params.heads) { return; }
  var factors = array<u32, ROWS>();
  for (var r = 0u; r < ROWS; r++) { // unrolled
    factors[r] = params.matrixOffset + head / params.headsPerMatrix * params.matrixHeadStride +
      min(firstRow + r, params.endRow - 1u) * params.matrixRowStride;
  }
  var at = params.inputOffset + head * params.inputHeadStride + channel;
  var sums = array<Element, ROWS>();
  for (var t = 0u; t < params.tokens; t++) {
    let x = input[at];
    for (var r = 0u; r < ROWS; r++) { // unrolled
      sums[r] += matrix[factors[r] + t] * x;
    }
    at += params.inputRowStride;
  }
  for (var r = 0u; r < ROWS; r++) { // unrolled
    let row = firstRow + r;
    if (row < params.endRow) {
      let to = params.outOffset + head * params.outHeadStride + row * params.outRowStride + channel;
      if (ACCUMULATE) { sums[r] += out[to]; }
      out[to] = sums[r];
    }
  }
}
