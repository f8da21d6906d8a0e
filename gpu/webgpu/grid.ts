/**
 * A grid of at least `workgroups` workgroups within the limit per dimension. Kernels number them
 * `workgroup_id.y · num_workgroups.x + workgroup_id.x` and leave the surplus idle.
 */
export function linearGrid(workgroups: number, maxPerDimension: number): [number, number, number] {
  if (workgroups <= maxPerDimension) return [workgroups, 1, 1];
  const layers = Math.ceil(workgroups / maxPerDimension);
  return [Math.ceil(workgroups / layers), layers, 1];
}

/** Cuts [0, count) into `parts` consecutive spans, all of a multiple of `step` but the last. */
export function spans(count: number, parts: number, step: number): { start: number; count: number }[] {
  const size = Math.max(step, Math.ceil(count / Math.max(1, parts) / step) * step);
  const cut: { start: number; count: number }[] = [];
  for (let start = 0; start < count; start += size) cut.push({ start, count: Math.min(size, count - start) });
  return cut;
}
