// A cache that takes tokens in one after the other, and drops one of neighbours for it (Cascading KV Cache, arXiv 2406.17808).
//
// Shapes     tokens [sets, held] and score [sets, held + arriving]; drops [arriving, 2], first place and end of those that are
//            compared; out and outScore [sets, count].
// Grid       one workgroup of THREADS threads per set, which takes the tokens in order: each finds what the ones before have left.
// Equals     `cascade` of cpu.ts, exactly.
//
// A token that comes is at first in no buffer: it stands behind what is held, and where another is dropped those behind that move up.
//
// Constants  THREADS: any number.

struct Params {
  sets: u32,
  held: u32,
  arriving: u32,
  count: u32,
  firstToken: u32,
  tokensOffset: u32,
  tokensRowStride: u32,
  scoreOffset: u32,
  scoreRowStride: u32,
  dropsOffset: u32,
  outOffset: u32,
  outRowStride: u32,
  outScoreOffset: u32,
  outScoreRowStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;
@group(0) @binding(2) var<storage, read> score: array<f32>;
@group(0) @binding(3) var<storage, read> drops: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;
@group(0) @binding(5) var<storage, read_write> outScore: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = workgroup.x;
  if (row >= params.sets) { return; }
  let scoreStart = params.scoreOffset + row * params.scoreRowStride;
  let outStart = params.outOffset + row * params.outRowStride;
  let outScoreStart = params.outScoreOffset + row * params.outScoreRowStride;
  for (var j = thread; j < params.held; j += THREADS) {
    out[outStart + j] = tokens[params.tokensOffset + row * params.tokensRowStride + j];
    outScore[outScoreStart + j] = score[scoreStart + j];
  }
  storageBarrier();
  var count = params.held;
  for (var i = 0u; i < params.arriving; i++) {
    let ownScore = score[scoreStart + params.held + i];
    let ownToken = params.firstToken + i;
    let first = drops[params.dropsOffset + 2u * i];
    let end = min(drops[params.dropsOffset + 2u * i + 1u], count + 1u);
    if (first >= end) {
      if (count < params.count) {
        if (thread == 0u) {
          out[outStart + count] = ownToken;
          outScore[outScoreStart + count] = ownScore;
        }
        count++;
      }
      storageBarrier();
      continue;
    }
    // Every thread compares: these are two, or one.
    var dropped = first;
    var least = ownScore;
    if (first < count) { least = outScore[outScoreStart + first]; }
    for (var place = first + 1u; place < end; place++) {
      var other = ownScore;
      if (place < count) { other = outScore[outScoreStart + place]; }
      if (other < least) {
        least = other;
        dropped = place;
      }
    }
    // Piece by piece: nobody writes what another has yet to read.
    for (var start = first; start < count; start += THREADS) {
      let j = start + thread;
      var token = ownToken;
      var value = ownScore;
      if (j + 1u < count) {
        token = out[outStart + j + 1u];
        value = outScore[outScoreStart + j + 1u];
      }
      storageBarrier();
      if (j >= dropped && j < count) {
        out[outStart + j] = token;
        outScore[outScoreStart + j] = value;
      }
      storageBarrier();
    }
    // Also where the only place was that of the token that came.
    storageBarrier();
  }
}
