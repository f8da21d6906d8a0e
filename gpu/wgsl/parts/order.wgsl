// Floats compared as integers, for kernels that append it: exact whatever a device makes of NaN and infinities.

/// The order of −∞, which NaN has too.
const LOWEST = 0x007fffffu;

/// Integers in the order of the floats with these bits: NaN as −∞, −0 as +0.
fn ordered(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return LOWEST; }
  if (magnitude == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

/// The bits of the float with this order.
fn unordered(order: u32) -> u32 {
  return select(~order, order & 0x7fffffffu, order >= 0x80000000u);
}
