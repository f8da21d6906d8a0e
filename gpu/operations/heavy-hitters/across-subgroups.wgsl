// What all threads of heavy-hitters.wgsl find together: first those of a subgroup, then the subgroups. Every thread gets the same.
//
// Constants  THREADS: a multiple of SUBGROUP, the size of every subgroup.

const SUBGROUPS = THREADS / SUBGROUP;

var<workgroup> weightsOfSubgroups: array<Weights, SUBGROUPS>;
var<workgroup> leastOfSubgroups: array<Least, SUBGROUPS>;

/// Those of all threads. Between two calls stands one of `leastOfAll`, behind whose barrier nobody reads what the first wrote.
fn weightsOfAll(thread: u32, own: Weights) -> Weights {
  let largest = subgroupMax(own.largest);
  let sum = subgroupAdd(own.sum * exp(own.largest - largest));
  if (thread % SUBGROUP == 0u) { weightsOfSubgroups[thread / SUBGROUP] = Weights(largest, sum); }
  workgroupBarrier();
  var weights = weightsOfSubgroups[0];
  for (var i = 1u; i < SUBGROUPS; i++) { weights = together(weights, weightsOfSubgroups[i]); }
  return weights;
}

/// The same; whatever was written to the caches can then be read by all.
fn leastOfAll(thread: u32, own: Least) -> Least {
  var least = own;
  for (var step = SUBGROUP / 2u; step > 0u; step /= 2u) {
    let other = Least(
      subgroupShuffleXor(least.received, step),
      subgroupShuffleXor(least.place, step),
      subgroupShuffleXor(least.ofOthers, step),
      subgroupShuffleXor(least.others, step),
    );
    least = leastOf(least, other);
  }
  if (thread % SUBGROUP == 0u) { leastOfSubgroups[thread / SUBGROUP] = least; }
  storageBarrier();
  workgroupBarrier();
  least = leastOfSubgroups[0];
  for (var i = 1u; i < SUBGROUPS; i++) { least = leastOf(least, leastOfSubgroups[i]); }
  return least;
}
