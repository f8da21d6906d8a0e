import type { VisibleKeys } from '../arguments';

/** What a kernel needs to know of visible keys, beside the buffer of their lists: the parameters of visible-keys.wgsl. */
export function visibleParameters({ list, range }: VisibleKeys, queryHeads: number) {
  return {
    listOffset: list?.offset ?? 0,
    listCount: list?.count ?? 0,
    listRowStride: list?.rowStride ?? 0,
    headsPerSet: queryHeads / (list?.sets ?? 1),
    countsOffset: list?.countsOffset ?? 0,
    rangeStart: range.start,
    rangeLength: range.end - range.start,
    causal: Number(range.causal),
    window: Math.min(range.window ?? 0, FARTHEST),
  };
}

/** Beyond it a window hides nothing. */
const FARTHEST = 2 ** 30;

/** What its code is compiled for: lists that are all equally long and no window leave nothing of either in it. */
export function visibleConstants({ list, range }: VisibleKeys) {
  return { RAGGED: list?.countsOffset !== undefined, WINDOWED: range.window !== undefined };
}
