// out[g, r, c] (+)= factor · Σ of input[h, r, c] over the query heads h of KV head g.
//
// Shapes     input [perGroup · heads, rows, channels], out [heads, rows, channels], any strides;
//            all of them count in elements.
// Grid       one thread per element of out, 64 a workgroup, linear.
// Precision  32-bit sums in the order of the heads.
// Equals     `sumHeads` of cpu.ts.
//
// Constants  ACCUMULATE: sums are added to what out has.
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
  perGroup: u32,
  factor: f32,
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
  let group = element / params.channels / params.rows;
  if (group >= params.heads) { return; }
  var at = params.inputOffset + group * params.perGroup * params.inputHeadStride;
  at += row * params.inputRowStride + channel;
  var sum = Element();
  for (var head = 0u; head < params.perGroup; head++) {
    sum += input[at];
    at += params.inputHeadStride;
  }
  let goal = params.outOffset + group * params.outHeadStride + row * params.outRowStride + channel;
  if (ACCUMULATE) {
    out[goal] += params.factor * sum;
  } else {
    out[goal] = params.factor * sum;
  }
}
