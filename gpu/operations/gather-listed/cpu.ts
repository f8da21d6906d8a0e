import { dataOf, integersOf } from '../../cpu/buffer';
import { listLength } from '../../cpu/lists';
import { checkGatherListed, type GatherListedArguments } from './op';

export function gatherListed(a: GatherListedArguments): void {
  checkGatherListed(a);
  const { input, list, out } = a;
  const inputData = dataOf(input.buffer);
  const outData = dataOf(out.buffer);
  const listData = integersOf(list.buffer);
  for (let head = 0; head < out.heads; head++) {
    const set = Math.floor((head * list.sets) / out.heads);
    const inputHead = Math.floor((head * input.heads) / out.heads);
    const length = listLength('gatherListed', list, set);
    for (let j = 0; j < length; j++) {
      const index = Math.min(listData[list.offset + set * list.rowStride + j]!, input.rows - 1);
      const from = input.offset + inputHead * input.headStride + index * input.rowStride;
      const to = out.offset + head * out.headStride + j * out.rowStride;
      if (input.channels === 1) outData[to] = inputData[from]!;
      else outData.set(inputData.subarray(from, from + input.channels), to);
    }
  }
}
