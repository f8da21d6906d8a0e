/** Ranks inside segments of a score row. */
import { floatsOf } from '../../cpu/buffer';
import { toSortKeys } from '../../cpu/sort-keys';
import { checkSegmentRanks, type SegmentRanksArguments } from './op';

/** kvpress `lagkv_press.py`: the double argsort of every segment, over its length. NaN ranks as −∞. */
export function segmentRanks(a: SegmentRanksArguments): void {
  checkSegmentRanks(a);
  const { input, segmentLength, out } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const keys = new Uint32Array(segmentLength);
  // Score and index in one number, so that sorting needs no comparison function.
  const order = new Float64Array(segmentLength);
  for (let row = 0; row < input.rows; row++) {
    for (let segment = 0; segment < input.length; segment += segmentLength) {
      toSortKeys(inputData, input.offset + row * input.rowStride + segment, keys);
      for (let i = 0; i < segmentLength; i++) order[i] = keys[i]! * segmentLength + i;
      order.sort();
      const outStart = out.offset + row * out.rowStride + segment;
      for (let rank = 0; rank < segmentLength; rank++) {
        outData[outStart + (order[rank]! % segmentLength)] = rank / segmentLength;
      }
    }
  }
}
