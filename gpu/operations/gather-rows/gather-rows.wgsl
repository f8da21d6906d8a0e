// out[r, c] (+)= table[indices[r], c]; an index beyond the table reads its last row.
//
// Shapes     table [V, D], indices [n], out [n, D]; D, offsets and strides count in elements.
// Grid       one thread per element of out, 64 a workgroup, linear.
// Equals     `gatherRows` of cpu.ts, exactly.
//
// Constants  ACCUMULATE.
// Types      Element: f32, or vec4f where all rows can be read so. Stored, and numbers(Stored), an Element: stored-*.wgsl.

struct Params {
  tableRows: u32,
  rows: u32,
  channels: u32,
  tableOffset: u32,
  tableRowStride: u32,
  indexOffset: u32,
  outOffset: u32,
  outRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<Stored>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<Element>;

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
  let tableRow = min(indices[params.indexOffset + row], params.tableRows - 1u);
  var value = numbers(table[params.tableOffset + tableRow * params.tableRowStride + channel]);
  let at = params.outOffset + row * params.outRowStride + channel;
  if (ACCUMULATE) { value += out[at]; }
  out[at] = value;
}
