// out[h, r, c] = input[h, r, c].
//
// Shapes     input and out [heads, rows, channels], any offsets and strides; all of them count in elements.
// Grid       one thread per element, 64 a workgroup, linear.
// Equals     `copyRows` of cpu.ts, exactly: elements are moved as bits.
//
// Types      Element: u32, or vec4u where all rows can be read so.

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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;

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
  out[params.outOffset + head * params.outHeadStride + row * params.outRowStride + channel] =
    input[params.inputOffset + head * params.inputHeadStride + row * params.inputRowStride + channel];
}
