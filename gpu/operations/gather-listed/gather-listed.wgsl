// out[h, j, c] = input[⌊h · G / H⌋, list[⌊h · sets / H⌋][j], c]; an index beyond the input reads its last row.
//
// Shapes     input [G, inputRows, channels], list [sets, at most rows], out [heads, rows, channels]; channels and the offsets and
//            strides of input and out count in elements.
// Grid       one thread per element of out, 64 a workgroup, linear.
// Equals     `gatherListed` of cpu.ts, exactly; rows beyond the length of a list are left as they are.
//
// Constants  HAS_COUNTS: lists have lengths of their own.
// Types      Element: u32, or vec4u where all rows can be read so.

struct Params {
  heads: u32,
  rows: u32,
  channels: u32,
  inputRows: u32,
  headsPerInput: u32,
  headsPerSet: u32,
  inputOffset: u32,
  inputHeadStride: u32,
  inputRowStride: u32,
  listOffset: u32,
  listRowStride: u32,
  countsOffset: u32,
  outOffset: u32,
  outHeadStride: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read> list: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;

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
  let place = head / params.headsPerSet;
  if (HAS_COUNTS) {
    if (row >= list[params.countsOffset + place]) { return; }
  }
  let index = min(list[params.listOffset + place * params.listRowStride + row], params.inputRows - 1u);
  out[params.outOffset + head * params.outHeadStride + row * params.outRowStride + channel] =
    input[params.inputOffset + head / params.headsPerInput * params.inputHeadStride + index * params.inputRowStride + channel];
}
