// The smallest and the largest entry of each channel over consecutive pages of key rows (Quest, arXiv 2406.10774).
//
// Shapes     key [heads, keyRows, channels], minimum and maximum [heads, pages, channels], any strides; the last page may be short.
// Grid       one thread per channel of a page, 64 a workgroup, linear: neighbours read neighbouring channels of a row.
// Equals     `pageBounds` of cpu.ts, exactly: floats are compared as integers (order.wgsl); NaN gives NaN.

struct Params {
  heads: u32,
  keyRows: u32,
  pages: u32,
  channels: u32,
  pageLength: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  minimumOffset: u32,
  minimumHeadStride: u32,
  minimumRowStride: u32,
  maximumOffset: u32,
  maximumHeadStride: u32,
  maximumRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> key: array<u32>;
@group(0) @binding(2) var<storage, read_write> minimum: array<u32>;
@group(0) @binding(3) var<storage, read_write> maximum: array<u32>;

const NOT_A_NUMBER = 0x7fc00000u;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let element = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let channel = element % params.channels;
  let page = element / params.channels % params.pages;
  let head = element / params.channels / params.pages;
  if (head >= params.heads) { return; }
  let first = page * params.pageLength;
  let rows = min(params.pageLength, params.keyRows - first);
  var at = params.keyOffset + head * params.keyHeadStride + first * params.keyRowStride + channel;
  var smallest = 0xffffffffu;
  var largest = 0u;
  var hasNaN = false;
  for (var row = 0u; row < rows; row++) {
    let bits = key[at];
    let order = ordered(bits);
    smallest = min(smallest, order);
    largest = max(largest, order);
    hasNaN |= (bits & 0x7fffffffu) > 0x7f800000u;
    at += params.keyRowStride;
  }
  minimum[params.minimumOffset + head * params.minimumHeadStride + page * params.minimumRowStride + channel] =
    select(unordered(smallest), NOT_A_NUMBER, hasNaN);
  maximum[params.maximumOffset + head * params.maximumHeadStride + page * params.maximumRowStride + channel] =
    select(unordered(largest), NOT_A_NUMBER, hasNaN);
}
