/** Numbers that are none: refused where they come from, before anything is computed with them. */

/** Place of the first value that is NaN or infinite; −1: all are finite. */
export function firstNotFinite(values: Float32Array): number {
  // One sum per block: what is not finite makes it NaN.
  const block = 4096;
  for (let start = 0; start < values.length; start += block) {
    const end = Math.min(values.length, start + block);
    let zero = 0;
    for (let i = start; i < end; i++) zero += values[i]! * 0;
    if (zero === 0) continue;
    for (let i = start; i < end; i++) if (!Number.isFinite(values[i])) return i;
  }
  return -1;
}
