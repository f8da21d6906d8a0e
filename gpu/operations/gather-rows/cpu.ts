import { floatsOf, integersOf } from '../../cpu/buffer';
import { checkGatherRows, type GatherRowsArguments } from './op';

export function gatherRows(a: GatherRowsArguments): void {
  checkGatherRows(a);
  const { table, out, accumulate = false } = a;
  const tableData = floatsOf(table.buffer);
  const outData = floatsOf(out.buffer);
  const indices = integersOf(a.indices);
  for (let row = 0; row < out.rows; row++) {
    const index = Math.min(indices[a.indexOffset + row]!, table.rows - 1);
    const from = table.offset + index * table.rowStride;
    const to = out.offset + row * out.rowStride;
    for (let c = 0; c < out.channels; c++) {
      outData[to + c] = accumulate ? outData[to + c]! + tableData[from + c]! : tableData[from + c]!;
    }
  }
}
