import { integersOf } from '../../cpu/buffer';
import { listLength } from '../../cpu/lists';
import { checkExpandList, type ExpandListArguments } from './op';

export function expandList(a: ExpandListArguments): void {
  checkExpandList(a);
  const { segments, segmentLength, indexBase, out, setsPerEnd = segments.sets } = a;
  const segmentData = integersOf(segments.buffer);
  const outData = integersOf(out.buffer);
  for (let set = 0; set < segments.sets; set++) {
    const outStart = out.offset + set * out.rowStride;
    const end = a.end + Math.floor(set / setsPerEnd);
    let at = outStart;
    const length = listLength('expandList', segments, set);
    for (let i = 0; i < length; i++) {
      const segment = segmentData[segments.offset + set * segments.rowStride + i]!;
      const first = indexBase + segment * segmentLength;
      for (let index = first; index < Math.min(end, first + segmentLength); index++) outData[at++] = index;
    }
    outData[out.countsOffset! + set] = at - outStart;
  }
}
