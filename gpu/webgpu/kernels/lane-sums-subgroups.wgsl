// Sums over LANES threads side by side, for kernels that append it and are declared with subgroups. Threads of a subgroup
// must follow each other.
//
// Constants  LANES: a power of two up to the size of every subgroup.

/// The sum over the threads that share this one's lanes.
fn sumOverLanes(thread: u32, term: vec4f) -> vec4f {
  var sum = term;
  for (var distance = 1u; distance < LANES; distance *= 2u) { sum += subgroupShuffleXor(sum, distance); }
  return sum;
}
