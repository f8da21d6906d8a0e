// Sums over LANES threads side by side, for kernels that append it. Every thread must call it.
//
// Constants  THREADS; LANES: a divisor of THREADS.

var<workgroup> laneTerms: array<vec4f, THREADS>;

/// The sum over the threads that share this one's lanes.
fn sumOverLanes(thread: u32, term: vec4f) -> vec4f {
  laneTerms[thread] = term;
  workgroupBarrier();
  let first = thread / LANES * LANES;
  var sum = vec4f();
  for (var lane = 0u; lane < LANES; lane++) { sum += laneTerms[first + lane]; }
  workgroupBarrier();
  return sum;
}
