import { floatsOf } from '../../cpu/buffer';
import { checkPageBounds, type PageBoundsArguments } from './op';

export function pageBounds(a: PageBoundsArguments): void {
  checkPageBounds(a);
  const { key, pageLength, minimum, maximum } = a;
  const keyData = floatsOf(key.buffer);
  const minima = floatsOf(minimum.buffer);
  const maxima = floatsOf(maximum.buffer);
  for (let head = 0; head < key.heads; head++) {
    for (let page = 0; page < minimum.rows; page++) {
      const end = Math.min(key.rows, (page + 1) * pageLength);
      const minimumStart = minimum.offset + head * minimum.headStride + page * minimum.rowStride;
      const maximumStart = maximum.offset + head * maximum.headStride + page * maximum.rowStride;
      for (let row = page * pageLength; row < end; row++) {
        const start = key.offset + head * key.headStride + row * key.rowStride;
        const isFirst = row === page * pageLength;
        for (let c = 0; c < key.channels; c++) {
          const x = keyData[start + c]!;
          minima[minimumStart + c] = isFirst ? x : Math.min(minima[minimumStart + c]!, x);
          maxima[maximumStart + c] = isFirst ? x : Math.max(maxima[maximumStart + c]!, x);
        }
      }
    }
  }
}
