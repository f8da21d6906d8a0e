// out = activation(input). GELU_TANH: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))); GELU: 0.5·x·(1 + erf(x/√2));
// SOFT_CAP: c·tanh(x/c); else silu: x / (1 + e^−x).
//
// Shapes     input and out [heads, rows, channels], any strides; all of them count in elements.
// Grid       one thread per element, 64 a workgroup, linear.
// Precision  erf by Abramowitz & Stegun 7.1.26, absolute error below 2e-7 + rounding.
// Equals     `activate` of cpu.ts.
//
// Constants  GELU_TANH, GELU, SOFT_CAP: at most one; IN_PLACE: input is out, which is read instead.
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
  cap: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;

fn load(at: u32) -> Element {
  if (IN_PLACE) { return out[at]; }
  return input[at];
}

/// tanh through one exponential of a bounded argument: beyond ±10 it is ±1 in f32.
fn boundedTanh(x: Element) -> Element {
  return 1.0 - 2.0 / (exp(2.0 * clamp(x, Element(-10.0), Element(10.0))) + 1.0);
}

fn errorFunction(x: Element) -> Element {
  let size = min(abs(x), Element(6.0));
  let t = 1.0 / (1.0 + 0.3275911 * size);
  let polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - polynomial * exp(-size * size));
}

fn activation(x: Element) -> Element {
  if (GELU_TANH) {
    return 0.5 * x * (1.0 + boundedTanh(0.7978845608 * (x + 0.044715 * x * x * x)));
  }
  if (GELU) {
    return 0.5 * x * (1.0 + errorFunction(x * 0.7071067812));
  }
  if (SOFT_CAP) {
    return params.cap * boundedTanh(x / params.cap);
  }
  return x / (1.0 + exp(min(-x, Element(80.0))));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let channel = element % params.channels;
  let row = element / params.channels % params.rows;
  let head = element / params.channels / params.rows;
  if (head >= params.heads) { return; }
  let x = load(params.inputOffset + head * params.inputHeadStride + row * params.inputRowStride + channel);
  out[params.outOffset + head * params.outHeadStride + row * params.outRowStride + channel] = activation(x);
}
