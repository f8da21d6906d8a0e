// out = silu(gate) · up, silu(x) = x / (1 + e^−x). GELU_TANH: gelu(gate) · up, 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
//
// Shapes     gate, up and out [rows, channels], any offsets and row strides; all of them count in elements.
// Grid       one thread per element, 64 a workgroup, linear.
// Equals     `gate` of cpu.ts.
//
// Constants  GELU_TANH; GATE_IN_PLACE, UP_IN_PLACE: out is that view, which is read instead.
// Types      Element: f32, or vec4f where all rows can be read so.

struct Params {
  rows: u32,
  channels: u32,
  gateOffset: u32,
  gateRowStride: u32,
  upOffset: u32,
  upRowStride: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate: array<Element>;
@group(0) @binding(2) var<storage, read> up: array<Element>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;

fn loadGate(at: u32) -> Element {
  if (GATE_IN_PLACE) { return out[at]; }
  return gate[at];
}

fn loadUp(at: u32) -> Element {
  if (UP_IN_PLACE) { return out[at]; }
  return up[at];
}

/// tanh through one exponential of a bounded argument: beyond ±10 it is ±1 in f32.
fn boundedTanh(x: Element) -> Element {
  return 1.0 - 2.0 / (exp(2.0 * clamp(x, Element(-10.0), Element(10.0))) + 1.0);
}

fn activation(x: Element) -> Element {
  if (GELU_TANH) {
    return 0.5 * x * (1.0 + boundedTanh(0.7978845608 * (x + 0.044715 * x * x * x)));
  }
  // e^80 is within the range of f32; below −80, silu is smaller than 1e-33.
  return x / (Element(1.0) + exp(min(-x, Element(80.0))));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let row = element / params.channels;
  let channel = element % params.channels;
  if (row >= params.rows) { return; }
  let x = loadGate(params.gateOffset + row * params.gateRowStride + channel);
  let y = loadUp(params.upOffset + row * params.upRowStride + channel);
  out[params.outOffset + row * params.outRowStride + channel] = activation(x) * y;
}
