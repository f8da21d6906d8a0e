import { floatRows, floatsOf, integersOf } from '../../cpu/buffer';
import { checkGatherRows, type GatherRowsArguments } from './op';

export function gatherRows(a: GatherRowsArguments): void {
  checkGatherRows(a);
  const { table, out, accumulate = false } = a;
  const outData = floatsOf(out.buffer);
  const indices = integersOf(a.indices);
  for (let row = 0; row < out.rows; row++) {
    const index = Math.min(indices[a.indexOffset + row]!, table.rows - 1);
    const { data, starts } = floatRows(table, 0, index, 1);
    const from = starts[0]!;
    const to = out.offset + row * out.rowStride;
    for (let c = 0; c < out.channels; c++) {
      outData[to + c] = accumulate ? outData[to + c]! + data[from + c]! : data[from + c]!;
    }
  }
}
