// Root-mean-square norm: out = x / √(mean(x²) + ε) · weight. Layer norm: out = (x − mean) / √(var + ε) · weight + bias, the
// variance biased and computed from the differences to the mean.
//
// Shapes     input and out [heads, rows, channels], any strides; weight, bias [channels]. All of them count in elements.
// Grid       LANES threads per row, 64 / LANES rows a workgroup, linear.
// Precision  32-bit sums, of each thread first.
// Equals     `normalize` of cpu.ts.
//
// Constants  LANES: a divisor of 64; CENTRED: layer norm; HAS_BIAS; IN_PLACE: input is out, which is read instead.
// Types      Element: f32, or vec4f where all rows can be read so.

struct Params {
  heads: u32,
  rows: u32,
  channels: u32,
  inputOffset: u32,
  inputHeadStride: u32,
  inputRowStride: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
  /// Numbers of an element.
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> out: array<Element>;

const THREADS = 64u;

var<workgroup> partial: array<f32, THREADS>;

fn load(at: u32) -> Element {
  if (IN_PLACE) { return out[at]; }
  return input[at];
}

/// The sum of `value` over the lanes of a row, on each of them.
fn sumOverLanes(thread: u32, value: f32) -> f32 {
  partial[thread] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var lane = 0u; lane < LANES; lane++) { sum += partial[thread / LANES * LANES + lane]; }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let lane = thread % LANES;
  let index = (workgroup.y * workgroups.x + workgroup.x) * (THREADS / LANES) + thread / LANES;
  let isRow = index < params.heads * params.rows;
  let channels = select(0u, params.channels, isRow);
  let head = index / params.rows;
  let row = index % params.rows;
  let start = params.inputOffset + head * params.inputHeadStride + row * params.inputRowStride;
  let outStart = params.outOffset + head * params.outHeadStride + row * params.outRowStride;

  var mean = 0.0;
  if (CENTRED) {
    var sum = Element();
    for (var c = lane; c < channels; c += LANES) { sum += load(start + c); }
    mean = sumOverLanes(thread, total(sum)) / f32(params.channels * params.width);
  }
  var squares = Element();
  for (var c = lane; c < channels; c += LANES) {
    let difference = load(start + c) - Element(mean);
    squares += difference * difference;
  }
  let factor = 1.0 / sqrt(sumOverLanes(thread, total(squares)) / f32(params.channels * params.width) + params.epsilon);
  for (var c = lane; c < channels; c += LANES) {
    var value = (load(start + c) - Element(mean)) * factor * weight[c];
    if (HAS_BIAS) { value += bias[c]; }
    out[outStart + c] = value;
  }
}
