import { floatsOf, integersOf } from '../../cpu/buffer';
import { fail } from '../../validate';
import { checkRotate, type RotateArguments } from './op';

/** Rotary position embedding, half-split (RoFormer, arXiv 2104.09864, in the channel order of GPT-NeoX and Llama). */
export function rotate(a: RotateArguments): void {
  checkRotate(a);
  const { input, table, positions, out } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const cosine = floatsOf(table.cosine);
  const sine = floatsOf(table.sine);
  const half = table.frequencies;
  const indices = 'indices' in positions ? integersOf(positions.indices) : undefined;
  for (let row = 0; row < input.rows; row++) {
    const position =
      'indices' in positions ? indices![positions.offset + row]! : positions.start + row * positions.step;
    if (position >= table.positions) {
      fail('rotate', `positions.indices names position ${position}, but the table has ${table.positions}`);
    }
    const angle = position * half;
    for (let head = 0; head < input.heads; head++) {
      const from = input.offset + head * input.headStride + row * input.rowStride;
      const to = out.offset + head * out.headStride + row * out.rowStride;
      for (let c = 0; c < half; c++) {
        const low = inputData[from + c]!;
        const high = inputData[from + half + c]!;
        const cos = cosine[angle + c]!;
        const sin = sine[angle + c]!;
        outData[to + c] = low * cos - high * sin;
        outData[to + half + c] = high * cos + low * sin;
      }
      for (let c = 2 * half; c < input.channels; c++) outData[to + c] = inputData[from + c]!;
    }
  }
}
