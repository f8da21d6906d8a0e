// A cache of fixed size through consecutive queries (H2O, arXiv 2306.14048): each adds its probabilities to what the kept keys have
// received, takes its own key in and drops, of all but the last ones, the one that has received least, of equals the last.
//
// Shapes     query [heads, queries, d], key [groups, keys, d] as vectors of four; products [heads, queries, keys], q·k of all of them;
//            tokens and received [(queries + 1) · heads, count], row i · heads + h being head h before query i;
//            tied [(queries + 1) · heads]; caches [heads, 2, count + 1].
// Grid       one workgroup of THREADS threads per head, which goes through the queries in order: each depends on the one before.
// Precision  32-bit products and sums.
// Equals     `heavyHitters` of gpu/cpu.
//
// Waiting is what a query takes: its threads for each other, for the sum of its weights and for what is dropped (weightsOfAll and
// leastOfAll are in across.wgsl, or across-subgroups.wgsl), and each for its places, which it reads together. Each has the same places of the cache throughout. Behind the one that is dropped all move up; who has a place finds out
// when the next query reads it, in the cache that this one wrote while it read the other. What stays is written out then, too.
//
// Constants  THREADS; PLACES: of the cache a thread has, at least (count + 1) / THREADS. HAS_PRODUCTS: they are read; else made
//            from query and key.

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
  softCap: f32,
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

/// A key in the cache: its token, and what it has received.
struct Kept {
  token: u32,
  received: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> key: array<vec4f>;
@group(0) @binding(3) var<storage, read> products: array<f32>;
@group(0) @binding(4) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(5) var<storage, read_write> received: array<f32>;
@group(0) @binding(6) var<storage, read_write> tied: array<u32>;
@group(0) @binding(7) var<storage, read_write> caches: array<Kept>;

const LARGEST = 3.4028234663852886e38;

/// The largest of some products, and the sum of exp(product − largest).
struct Weights {
  largest: f32,
  sum: f32,
}

/// Of some places the one that has received least, the last of equals; the least of the others, and how many have received that.
/// Where there are none of either it is LARGEST.
struct Least {
  received: f32,
  place: u32,
  ofOthers: f32,
  others: u32,
}

fn together(a: Weights, b: Weights) -> Weights {
  let largest = max(a.largest, b.largest);
  return Weights(largest, a.sum * exp(a.largest - largest) + b.sum * exp(b.largest - largest));
}

fn leastOf(a: Least, b: Least) -> Least {
  let isB = b.received < a.received || (b.received == a.received && b.place > a.place);
  // Which of both has the least, and what the other's count for.
  var least = a;
  var other = b;
  if (isB) {
    least = b;
    other = a;
  }
  let equals = 1u + select(0u, other.others, other.ofOthers == other.received);
  let ofOthers = min(least.ofOthers, other.received);
  let others = select(0u, least.others, least.ofOthers == ofOthers) + select(0u, equals, other.received == ofOthers);
  return Least(least.received, least.place, ofOthers, others);
}

fn productOf(head: u32, i: u32, token: u32) -> f32 {
  if (HAS_PRODUCTS) { return products[(head * params.queries + i) * params.keys + token]; }
  let queryStart = params.queryOffset + head * params.queryHeadStride + i * params.queryRowStride;
  let keyStart = params.keyOffset + head / params.headsPerGroup * params.keyHeadStride + token * params.keyRowStride;
  var product = 0.0;
  for (var v = 0u; v < params.vectors; v++) { product += dot(query[queryStart + v], key[keyStart + v]); }
  return product;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let head = workgroup.x;
  if (head >= params.heads) { return; }
  let count = params.count;
  // The cache that is read, and the one that is written.
  var now = 2u * head * (count + 1u);
  var next = now + count + 1u;
  for (var j = thread; j < count; j += THREADS) {
    caches[now + j].token = tokens[params.tokensOffset + head * params.tokensRowStride + j];
    caches[now + j].received = received[params.receivedOffset + head * params.receivedRowStride + j];
  }
  // Of what is read: nothing before the first query.
  var dropped = count;
  for (var i = 0u; i <= params.queries; i++) {
    let row = i * params.heads + head;
    let tokensStart = params.tokensOffset + row * params.tokensRowStride;
    let receivedStart = params.receivedOffset + row * params.receivedRowStride;
    // Of this thread's places, all of which are asked for before one is waited for; the query's own key comes last.
    var kept: array<Kept, PLACES>;
    for (var k = 0u; k < PLACES; k++) { // unrolled
      let j = thread + k * THREADS;
      kept[k] = Kept(params.firstKey + i, 0.0);
      if (j < count) { kept[k] = caches[now + j + u32(j >= dropped)]; }
    }
    if (i > 0u) {
      for (var k = 0u; k < PLACES; k++) { // unrolled
        let j = thread + k * THREADS;
        if (j < count) {
          tokens[tokensStart + j] = kept[k].token;
          received[receivedStart + j] = kept[k].received;
        }
      }
    }
    if (i == params.queries) { break; }
    var weights = Weights(-LARGEST, 0.0);
    var exponents: array<f32, PLACES>;
    for (var k = 0u; k < PLACES; k++) { // unrolled
      exponents[k] = -LARGEST;
      if (thread + k * THREADS <= count) {
        let product = productOf(head, i, min(kept[k].token, params.keys - 1u));
        exponents[k] = capped(vec4f(params.scale * product)).x;
      }
    }
    for (var k = 0u; k < PLACES; k++) { // unrolled
      weights.largest = max(weights.largest, exponents[k]);
    }
    for (var k = 0u; k < PLACES; k++) { // unrolled
      if (thread + k * THREADS <= count) { weights.sum += exp(exponents[k] - weights.largest); }
    }
    weights = weightsOfAll(thread, weights);
    var least = Least(LARGEST, 0u, LARGEST, 0u);
    for (var k = 0u; k < PLACES; k++) { // unrolled
      let j = thread + k * THREADS;
      if (j <= count) {
        let total = kept[k].received + exp(exponents[k] - weights.largest) / weights.sum;
        caches[next + j] = Kept(kept[k].token, total);
        if (j < params.older) { least = leastOf(least, Least(total, j, LARGEST, 0u)); }
      }
    }
    least = leastOfAll(thread, least);
    dropped = least.place;
    if (thread == 0u) {
      // The one that is dropped may have received as much.
      let ties = least.others + u32(least.received == least.ofOthers);
      tied[params.tiedOffset + row + params.heads] = select(0u, ties, least.ofOthers < LARGEST);
    }
    let written = next;
    next = now;
    now = written;
  }
}
