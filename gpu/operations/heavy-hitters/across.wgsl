// What all threads of heavy-hitters.wgsl find together, through workgroup memory: a few of them gather what the others have.
//
// Constants  THREADS; LEADERS: a divisor of THREADS, about its root.

var<workgroup> weightsOfThreads: array<Weights, THREADS>;
var<workgroup> weightsOfLeaders: array<Weights, LEADERS>;
var<workgroup> leastOfThreads: array<Least, THREADS>;
var<workgroup> leastOfLeaders: array<Least, LEADERS>;

/// Those of all threads.
fn weightsOfAll(thread: u32, own: Weights) -> Weights {
  weightsOfThreads[thread] = own;
  workgroupBarrier();
  if (thread < LEADERS) {
    var weights = weightsOfThreads[thread];
    for (var i = thread + LEADERS; i < THREADS; i += LEADERS) { weights = together(weights, weightsOfThreads[i]); }
    weightsOfLeaders[thread] = weights;
  }
  workgroupBarrier();
  var weights = weightsOfLeaders[0];
  for (var i = 1u; i < LEADERS; i++) { weights = together(weights, weightsOfLeaders[i]); }
  return weights;
}

/// The same; whatever was written to the caches can then be read by all.
fn leastOfAll(thread: u32, own: Least) -> Least {
  leastOfThreads[thread] = own;
  storageBarrier();
  workgroupBarrier();
  if (thread < LEADERS) {
    var least = leastOfThreads[thread];
    for (var i = thread + LEADERS; i < THREADS; i += LEADERS) { least = leastOf(least, leastOfThreads[i]); }
    leastOfLeaders[thread] = least;
  }
  workgroupBarrier();
  var least = leastOfLeaders[0];
  for (var i = 1u; i < LEADERS; i++) { least = leastOf(least, leastOfLeaders[i]); }
  return least;
}
