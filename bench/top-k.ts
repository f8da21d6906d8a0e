import { randomFloats } from './random';
import { measureReading } from './reading';
import type { Bench, Section } from './section';
import { timeRepeated } from './timing';

/** How many rows of scores, how long, and how many of each are kept. */
interface Size {
  readonly rows: number;
  readonly length: number;
  readonly count: number;
}

const HARDWARE: readonly Size[] = [
  { rows: 1, length: 32_768, count: 2048 },
  { rows: 1024, length: 32_768, count: 2048 },
];
const SOFTWARE: readonly Size[] = [
  { rows: 1, length: 4096, count: 256 },
  { rows: 16, length: 4096, count: 256 },
];

/** The best of many scores, beside the time that reading them takes. */
export const topK: Section = {
  name: 'top-k',
  title: 'The best of many scores, beside just reading them',
  needsGpu: true,
  async run(bench) {
    for (const size of bench.ops.isSoftware ? SOFTWARE : HARDWARE) {
      const reading = await measureReading(bench.gpu!.device, size.rows * size.length);
      bench.row({
        name: 'reading scores',
        size: `${size.rows} × ${size.length}`,
        milliseconds: reading,
        flops: 0,
        bytes: 4 * size.rows * size.length,
      });
      const plain = await measureTopK(bench, size, false);
      const broken = await measureTopK(bench, size, true);
      bench.print(
        `${size.rows} × ${size.length}: ${(plain / reading).toFixed(1)} times the time of reading, ` +
          `${(broken / reading).toFixed(1)} with a second score that breaks ties`,
      );
    }
  },
};

async function measureTopK({ ops, row }: Bench, size: Size, breaksTies: boolean): Promise<number> {
  const { rows, length, count } = size;
  const rowsOf = (data: Float32Array) => ({
    buffer: ops.upload(data, 'scores'),
    offset: 0,
    rows,
    length,
    rowStride: length,
  });
  // A thousand different scores: many are equal, at the cut too.
  const scores = randomFloats(rows * length, 1).map((value) => Math.fround(Math.round(500 * value) / 500));
  const seconds = randomFloats(rows * length, 2);
  const score = rowsOf(scores);
  const secondary = breaksTies ? rowsOf(seconds) : undefined;
  const list = ops.allocate('u32', rows * count, 'list');
  const out = { buffer: list, offset: 0, sets: rows, count, rowStride: count };
  const encode = () => ops.topK({ score, ...(secondary ? { secondary } : {}), count, indexBase: 0, out });

  const name = `top-k${breaksTies ? ', two scores' : ''}`;
  encode();
  const chosen = await ops.readIntegers(list);
  for (const index of new Set([0, rows >> 1, rows - 1])) {
    const from = (data: Float32Array) => data.subarray(index * length, (index + 1) * length);
    const expected = best(from(scores), breaksTies ? from(seconds) : null, count);
    if (expected.some((place, i) => chosen[index * count + i] !== place))
      throw new Error(`${name} of ${length} is wrong in row ${index}`);
  }

  const milliseconds = await timeRepeated(() => ops.stopwatch(), encode);
  const bytes = 4 * rows * (length * (breaksTies ? 2 : 1) + count);
  row({ name, size: `${rows} × ${count} of ${length}`, milliseconds, flops: 0, bytes });
  ops.release(score.buffer, list, ...(secondary ? [secondary.buffer] : []));
  return milliseconds;
}

/** Ascending indices of the `count` best: score descending, then the second score, then the lower index. */
export function best(scores: Float32Array, seconds: Float32Array | null, count: number): Uint32Array {
  const order = Uint32Array.from(scores, (_, i) => i).sort(
    (a, b) => scores[b]! - scores[a]! || (seconds ? seconds[b]! - seconds[a]! : 0) || a - b,
  );
  return order.slice(0, count).sort();
}
