// A cache of fixed size through consecutive queries (H2O, arXiv 2306.14048): each adds its probabilities to what the kept keys have
// received, takes its own key in and drops, of all but the last ones, the one that has received least, of equals the last.
//
// Shapes     query [heads, queries, d], key [groups, keys, d] as vectors of four; tokens and received [(queries + 1) · heads, count], row
//            i · heads + h being head h before query i; tied [(queries + 1) · heads].
// Grid       one workgroup of THREADS threads per head, which goes through the queries in order: each depends on the one before.
// Precision  32-bit products and sums.
// Equals     `heavyHitters` of gpu/cpu.
//
// Constants  THREADS: a power of two.

struct Params {
  heads: u32,
  headsPerGroup: u32,
  queries: u32,
  keys: u32,
  vectors: u32,
  count: u32,
  older: u32,
  firstKey: u32,
  scale: f32,
  queryOffset: u32,
  queryHeadStride: u32,
  queryRowStride: u32,
  keyOffset: u32,
  keyHeadStride: u32,
  keyRowStride: u32,
  tokensOffset: u32,
  tokensRowStride: u32,
  receivedOffset: u32,
  receivedRowStride: u32,
  tiedOffset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(4) var<storage, read_write> received: array<f32>;
@group(0) @binding(5) var<storage, read_write> tied: array<u32>;

const LARGEST = 3.4028234663852886e38;

var<workgroup> numbers: array<f32, THREADS>;
var<workgroup> places: array<u32, THREADS>;
/// What the query's own key has: its product, its weight, its probability.
var<workgroup> own: f32;

fn largestOfAll(thread: u32, number: f32) -> f32 {
  numbers[thread] = number;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    if (thread < half) { numbers[thread] = max(numbers[thread], numbers[thread + half]); }
    workgroupBarrier();
  }
  let largest = numbers[0];
  workgroupBarrier();
  return largest;
}

fn sumOfAll(thread: u32, number: f32) -> f32 {
  numbers[thread] = number;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    if (thread < half) { numbers[thread] += numbers[thread + half]; }
    workgroupBarrier();
  }
  let sum = numbers[0];
  workgroupBarrier();
  return sum;
}

/// Where the least number is, the last place of equals.
fn placeOfLeast(thread: u32, number: f32, place: u32) -> u32 {
  numbers[thread] = number;
  places[thread] = place;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    if (thread < half) {
      let other = numbers[thread + half];
      let isEqual = other == numbers[thread];
      if (other < numbers[thread] || (isEqual && places[thread + half] > places[thread])) {
        numbers[thread] = other;
        places[thread] = places[thread + half];
      }
    }
    workgroupBarrier();
  }
  let least = places[0];
  workgroupBarrier();
  return least;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let head = workgroup.x;
  if (head >= params.heads) { return; }
  let count = params.count;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride;
  for (var i = 0u; i < params.queries; i++) {
    let before = i * params.heads + head;
    let after = before + params.heads;
    let tokensBefore = params.tokensOffset + before * params.tokensRowStride;
    let tokensAfter = params.tokensOffset + after * params.tokensRowStride;
    let receivedBefore = params.receivedOffset + before * params.receivedRowStride;
    let receivedAfter = params.receivedOffset + after * params.receivedRowStride;
    let queryStart = params.queryOffset + head * params.queryHeadStride + i * params.queryRowStride;
    // Every thread has the same places throughout; what the cache has room for stands where its sums will.
    var largest = -LARGEST;
    for (var j = thread; j <= count; j += THREADS) {
      var token = params.firstKey + i;
      if (j < count) { token = min(tokens[tokensBefore + j], params.keys - 1u); }
      let start = keyStart + token * params.keyRowStride;
      var product = 0.0;
      for (var v = 0u; v < params.vectors; v++) { product += dot(query[queryStart + v], key[start + v]); }
      product *= params.scale;
      largest = max(largest, product);
      if (j < count) { received[receivedAfter + j] = product; } else { own = product; }
    }
    largest = largestOfAll(thread, largest);
    var sum = 0.0;
    for (var j = thread; j < count; j += THREADS) {
      let weight = exp(received[receivedAfter + j] - largest);
      received[receivedAfter + j] = weight;
      sum += weight;
    }
    if (thread == count % THREADS) {
      own = exp(own - largest);
      sum += own;
    }
    sum = sumOfAll(thread, sum);
    var least = LARGEST;
    var place = 0u;
    for (var j = thread; j <= count; j += THREADS) {
      var total = 0.0;
      if (j < count) {
        total = received[receivedBefore + j] + received[receivedAfter + j] / sum;
        received[receivedAfter + j] = total;
      } else {
        total = own / sum;
        own = total;
      }
      if (j < params.older && total <= least) {
        least = total;
        place = j;
      }
    }
    let dropped = placeOfLeast(thread, least, place);
    var ofOthers = LARGEST;
    for (var j = thread; j < params.older; j += THREADS) {
      if (j < count && j != dropped) { ofOthers = min(ofOthers, received[receivedAfter + j]); }
      if (j == count && j != dropped) { ofOthers = min(ofOthers, own); }
    }
    ofOthers = -largestOfAll(thread, -ofOthers);
    var ties = 0u;
    for (var j = thread; j < params.older; j += THREADS) {
      if (j < count) { ties += u32(received[receivedAfter + j] == ofOthers); } else { ties += u32(own == ofOthers); }
    }
    let allTies = sumOfAll(thread, f32(ties));
    if (thread == 0u) { tied[params.tiedOffset + after] = u32(allTies); }
    // Those behind it move up, piece by piece: nobody writes what another has yet to read.
    for (var first = 0u; first < count; first += THREADS) {
      let j = first + thread;
      let source = j + u32(j >= dropped);
      var total = own;
      var token = params.firstKey + i;
      if (source < count) {
        total = received[receivedAfter + source];
        token = tokens[tokensBefore + source];
      }
      storageBarrier();
      if (j < count) {
        received[receivedAfter + j] = total;
        tokens[tokensAfter + j] = token;
      }
      storageBarrier();
    }
    workgroupBarrier();
  }
}
