// Rotary embedding, half-split: with f = frequencies and channel c < f,
// out[c] = x[c]·cos − x[c+f]·sin, out[c+f] = x[c+f]·cos + x[c]·sin; channels from 2f on pass through.
//
// Shapes     input and out [heads, rows, channels], any strides; cosine and sine [positions, f]. All of them
//            count in elements.
// Grid       one thread per pair or passed channel: channels − f a row, 64 threads a workgroup, linear.
// Equals     `rotate` of cpu.ts.
//
// Constants  HAS_INDICES: row r is at position indices[positionOffset + r], otherwise at start + r · step;
//            IN_PLACE: input is out, which is read instead.
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
  frequencies: u32,
  positionOffset: u32,
  start: u32,
  step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read> cosine: array<Element>;
@group(0) @binding(3) var<storage, read> sine: array<Element>;
@group(0) @binding(4) var<storage, read> indices: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<Element>;

fn load(at: u32) -> Element {
  if (IN_PLACE) { return out[at]; }
  return input[at];
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let item = 64u * (workgroup.y * workgroups.x + workgroup.x) + thread;
  let f = params.frequencies;
  let perRow = params.channels - f;
  let c = item % perRow;
  let row = item / perRow % params.rows;
  let head = item / perRow / params.rows;
  if (head >= params.heads) { return; }
  let source = params.inputOffset + head * params.inputHeadStride + row * params.inputRowStride;
  let goal = params.outOffset + head * params.outHeadStride + row * params.outRowStride;
  if (c >= f) {
    if (!IN_PLACE) { out[goal + c + f] = load(source + c + f); }
    return;
  }
  var position = params.start + row * params.step;
  if (HAS_INDICES) { position = indices[params.positionOffset + row]; }
  let low = load(source + c);
  let high = load(source + c + f);
  let cosineHere = cosine[position * f + c];
  let sineHere = sine[position * f + c];
  out[goal + c] = low * cosineHere - high * sineHere;
  out[goal + c + f] = high * cosineHere + low * sineHere;
}
