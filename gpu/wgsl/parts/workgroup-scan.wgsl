// Sums over the threads of a workgroup, for kernels that append it. Every thread must call it.
//
// Constants  THREADS: a multiple of 32, up to 1024.

const SCAN_SPAN = 32u;
const SCAN_SPANS = THREADS / SCAN_SPAN;

/// One element more per span, so that threads that each sum a span use different memory banks.
var<workgroup> scanned: array<u32, THREADS + SCAN_SPANS>;
var<workgroup> spanSums: array<u32, SCAN_SPANS>;
var<workgroup> scannedTotal: u32;

/// The sum over this thread and those before it.
fn sumUpTo(thread: u32, addend: u32) -> u32 {
  let at = thread + thread / SCAN_SPAN;
  scanned[at] = addend;
  workgroupBarrier();
  if (thread < SCAN_SPANS) {
    var sum = 0u;
    for (var i = 0u; i < SCAN_SPAN; i++) {
      sum += scanned[thread * (SCAN_SPAN + 1u) + i];
      scanned[thread * (SCAN_SPAN + 1u) + i] = sum;
    }
    spanSums[thread] = sum;
  }
  workgroupBarrier();
  var sum = scanned[at];
  for (var span = 0u; span < SCAN_SPANS; span++) { sum += select(0u, spanSums[span], span < thread / SCAN_SPAN); }
  return sum;
}

/// The sum over all threads, after `sumUpTo`.
fn sumOfAll(thread: u32, upTo: u32) -> u32 {
  if (thread == THREADS - 1u) { scannedTotal = upTo; }
  return workgroupUniformLoad(&scannedTotal);
}
