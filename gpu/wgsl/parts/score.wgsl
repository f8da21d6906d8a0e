// What makes scores of products times the scale (`ScoreRule` of gpu/arguments.ts). A part of kernels whose `params` have softCap.
//
// Precision  c·tanh(s/c) as c − 2c / (e^(2s/c) + 1), to about c · 1e-7: the tanh of some devices is off by more than 1e-4.
//
// Constants  CAPPED: scores have a soft cap, params.softCap. Without it nothing of this is left.

/// Scores of products that are scaled.
fn capped(scaled: vec4f) -> vec4f {
  if (!CAPPED) { return scaled; }
  // From 15 on tanh is 1 in 32 bits.
  let exponents = clamp(scaled / params.softCap, vec4f(-15.0), vec4f(15.0));
  return params.softCap - 2.0 * params.softCap / (exp(2.0 * exponents) + 1.0);
}
