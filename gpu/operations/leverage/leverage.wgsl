// Ridge leverage of rows: out[h, t] = ‖L⁻¹ x_t‖², L⁻¹ as `leverage-factor.wgsl` leaves it.
//
// Shapes     input [groups, rows, channels]; inverse [heads, channels, channels], its lower triangle; out [heads, rows].
// Grid       a thread per head and row, linear.
// Precision  32-bit.
// Equals     `leverage` of gpu/cpu.

struct Params {
  heads: u32,
  headsPerGroup: u32,
  rows: u32,
  channels: u32,
  inputOffset: u32,
  inputHeadStride: u32,
  inputRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> inverse: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const THREADS = 64u;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let index = (workgroup.y * workgroups.x + workgroup.x) * THREADS + thread;
  if (index >= params.heads * params.rows) { return; }
  let head = index / params.rows;
  let t = index % params.rows;
  let k = params.channels;
  let start = params.inputOffset + head / params.headsPerGroup * params.inputHeadStride + t * params.inputRowStride;
  var squares = 0.0;
  for (var j = 0u; j < k; j++) {
    let row = (head * k + j) * k;
    var sum = 0.0;
    for (var c = 0u; c <= j; c++) { sum += inverse[row + c] * input[start + c]; }
    squares += sum * sum;
  }
  out[params.outOffset + head * params.outRowStride + t] = squares;
}
