// Sums over the threads of a workgroup, for kernels that append it and are declared with subgroups. Every thread must call
// it, with a barrier between two calls. Threads of a subgroup must follow each other.
//
// Constants  THREADS: a multiple of SUBGROUP, the size of every subgroup.

const SUBGROUPS = THREADS / SUBGROUP;

var<workgroup> subgroupSums: array<u32, SUBGROUPS>;
var<workgroup> scannedTotal: u32;

/// The sum over this thread and those before it.
fn sumUpTo(thread: u32, addend: u32) -> u32 {
  let within = subgroupInclusiveAdd(addend);
  if (thread % SUBGROUP == SUBGROUP - 1u) { subgroupSums[thread / SUBGROUP] = within; }
  workgroupBarrier();
  var sum = within;
  if (SUBGROUPS <= SUBGROUP) {
    let lane = thread % SUBGROUP;
    let before = subgroupExclusiveAdd(subgroupSums[min(lane, SUBGROUPS - 1u)]);
    sum += subgroupShuffle(before, thread / SUBGROUP);
  } else {
    for (var other = 0u; other < SUBGROUPS; other++) {
      sum += select(0u, subgroupSums[other], other < thread / SUBGROUP);
    }
  }
  return sum;
}

/// The sum over all threads, after `sumUpTo`.
fn sumOfAll(thread: u32, upTo: u32) -> u32 {
  if (thread == THREADS - 1u) { scannedTotal = upTo; }
  return workgroupUniformLoad(&scannedTotal);
}
