/** Neighbours that share a maximum tie; the reference is stored in our order, the lower token first. */
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = { runs: 'snapkv_official@', breaksTies: true };
