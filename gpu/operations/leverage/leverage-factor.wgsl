// The inverse of the Cholesky factor of ridge·I + Σ_t weight[h, t] · x_t x_tᵀ, for every head.
//
// Shapes     input [groups, rows, channels]; weight [heads, rows]; factor and inverse [heads, channels, channels], their lower triangles.
// Grid       one workgroup of THREADS threads per head.
// Precision  32-bit sums, of 64 rows first; no pivot is taken below the ridge, where none would lie without rounding.
// Equals     the factor of `leverage` of gpu/cpu, inverted.
//
// Constants  THREADS; HAS_WEIGHT.

struct Params {
  heads: u32,
  headsPerGroup: u32,
  rows: u32,
  channels: u32,
  inputOffset: u32,
  inputHeadStride: u32,
  inputRowStride: u32,
  weightOffset: u32,
  weightRowStride: u32,
  ridge: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> factor: array<f32>;
@group(0) @binding(4) var<storage, read_write> inverse: array<f32>;

const PART = 64u;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let head = workgroup.x;
  if (head >= params.heads) { return; }
  let k = params.channels;
  let start = head * k * k;
  let inputStart = params.inputOffset + head / params.headsPerGroup * params.inputHeadStride;
  let weightStart = params.weightOffset + head * params.weightRowStride;
  for (var entry = thread; entry < k * k; entry += THREADS) {
    let i = entry / k;
    let j = entry % k;
    if (j > i) { continue; }
    var sum = select(0.0, params.ridge, i == j);
    for (var first = 0u; first < params.rows; first += PART) {
      var part = 0.0;
      for (var t = first; t < min(first + PART, params.rows); t++) {
        let row = inputStart + t * params.inputRowStride;
        var product = input[row + i] * input[row + j];
        if (HAS_WEIGHT) { product *= weight[weightStart + t]; }
        part += product;
      }
      sum += part;
    }
    factor[start + entry] = sum;
  }
  // Column by column: its pivot's root, the column divided by it, and what it takes from those behind it.
  for (var c = 0u; c < k; c++) {
    storageBarrier();
    let pivot = sqrt(max(factor[start + c * k + c], params.ridge));
    storageBarrier();
    if (thread == 0u) { factor[start + c * k + c] = pivot; }
    for (var i = c + 1u + thread; i < k; i += THREADS) { factor[start + i * k + c] /= pivot; }
    storageBarrier();
    let left = k - c - 1u;
    for (var entry = thread; entry < left * left; entry += THREADS) {
      let i = c + 1u + entry / left;
      let j = c + 1u + entry % left;
      if (j <= i) { factor[start + i * k + j] -= factor[start + i * k + c] * factor[start + j * k + c]; }
    }
  }
  storageBarrier();
  for (var c = thread; c < k; c += THREADS) {
    inverse[start + c * k + c] = 1.0 / factor[start + c * k + c];
    for (var i = c + 1u; i < k; i++) {
      var sum = 0.0;
      for (var j = c; j < i; j++) { sum += factor[start + i * k + j] * inverse[start + j * k + c]; }
      inverse[start + i * k + c] = -sum / factor[start + i * k + i];
    }
  }
}
