// A cache that takes tokens in one after the other, and drops one of neighbours for it (Cascading KV Cache, arXiv 2406.17808).
//
// Shapes     tokens [sets, held] and score [sets, held + arriving]; drops [arriving, 2], first place and end of those that are
//            compared; out and outScore [sets, count]; caches [sets, 2, count].
// Grid       one workgroup of THREADS threads per set, which takes the tokens in order: each finds what the ones before have left.
// Equals     `cascade` of cpu.ts, exactly.
//
// A token that comes is at first in no buffer: it stands behind what is held, and where another is dropped those behind that move up,
// from one of two caches into the other, so that threads wait for each other once.
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
@group(0) @binding(6) var<storage, read_write> caches: array<Held>;

struct Held {
  token: u32,
  score: f32,
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = workgroup.x;
  if (row >= params.sets) { return; }
  let scoreStart = params.scoreOffset + row * params.scoreRowStride;
  var now = 2u * row * params.count;
  var next = now + params.count;
  for (var j = thread; j < params.held; j += THREADS) {
    caches[now + j] = Held(tokens[params.tokensOffset + row * params.tokensRowStride + j], score[scoreStart + j]);
  }
  storageBarrier();
  var count = params.held;
  for (var i = 0u; i < params.arriving; i++) {
    let own = Held(params.firstToken + i, score[scoreStart + params.held + i]);
    let first = drops[params.dropsOffset + 2u * i];
    let end = min(drops[params.dropsOffset + 2u * i + 1u], count + 1u);
    if (first >= end) {
      if (count < params.count) {
        if (thread == 0u) { caches[now + count] = own; }
        count++;
      }
    } else {
      // Every thread compares: these are two, or one.
      var dropped = first;
      var least = own.score;
      if (first < count) { least = caches[now + first].score; }
      for (var place = first + 1u; place < end; place++) {
        var other = own.score;
        if (place < count) { other = caches[now + place].score; }
        if (other < least) {
          least = other;
          dropped = place;
        }
      }
      for (var j = thread; j < count; j += THREADS) {
        let source = j + u32(j >= dropped);
        var held = own;
        if (source < count) { held = caches[now + source]; }
        caches[next + j] = held;
      }
      let written = next;
      next = now;
      now = written;
    }
    storageBarrier();
  }
  for (var j = thread; j < count; j += THREADS) {
    out[params.outOffset + row * params.outRowStride + j] = caches[now + j].token;
    outScore[params.outScoreOffset + row * params.outScoreRowStride + j] = caches[now + j].score;
  }
}
