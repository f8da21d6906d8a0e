import { it } from 'vitest';
import type { IndexList, Ops } from '../../../gpu/ops';
import {
  compare,
  describeDevices,
  hardwareAdapter,
  inputView,
  type Layout,
  leastThreads,
  poisonedIntegers,
  randomFloats,
  softwareAdapter,
} from './both';

const GAP = 3;

/** As many as the products of 22 queries in the longest case, which has 27. */
const MOST_PRODUCTS = 4096;

/** Lists of the first tokens, a gap behind each; those that the operation writes hold poison. */
function lists(ops: Ops, heads: number, queries: number, count: number): IndexList {
  const rowStride = count + GAP;
  const sets = heads * (queries + 1);
  const data = new Uint32Array(sets * rowStride).fill(0xdeadbeef);
  for (let head = 0; head < heads; head++)
    for (let j = 0; j < count; j++) data[head * rowStride + j] = 2 * j + (head % 2);
  return { buffer: ops.upload(data, 'tokens'), offset: 0, sets, count, rowStride };
}

const devices = { software: softwareAdapter, hardware: hardwareAdapter, 'no subgroups': leastThreads };

describeDevices('heavyHitters', devices, (backends) => {
  it.each([
    // Query heads, KV heads, queries, kept, recent, channels, layout, soft cap.
    [1, 1, 1, 1, 0, 4, 'dense'],
    [6, 2, 9, 24, 12, 32, 'token-major'],
    [4, 2, 5, 300, 40, 20, 'strided'],
    [2, 1, 27, 31, 3, 8, 'dense'],
    [2, 1, 3, 31, 31, 8, 'dense'],
    [2, 2, 3, 32, 0, 33, 'strided'],
    [3, 1, 4, 0, 0, 8, 'dense'],
    [2, 1, 0, 8, 4, 8, 'dense'],
    [0, 0, 3, 8, 4, 8, 'dense'],
    [2, 1, 3, 31, 3, 8, 'dense', 0.8],
    [6, 2, 9, 24, 12, 32, 'token-major', 2],
  ] as [number, number, number, number, number, number, Layout, number | undefined][])(
    '%i query heads, %i KV heads, %i queries, %i kept, %i recent, %i channels, %s, cap %s',
    async (heads, groups, queries, count, recentCount, channels, layout, softCap) => {
      const firstKey = 2 * count + 1;
      await compare(
        backends,
        (ops) => {
          const sets = heads * (queries + 1);
          const tokens = lists(ops, heads, queries, count);
          const { rowStride } = tokens;
          const sums = randomFloats(Math.max(1, sets * rowStride), 3).map((x, i) =>
            i < heads * rowStride ? Math.abs(x) / 4 : 12345.625,
          );
          const received = {
            buffer: ops.upload(sums, 'received'),
            offset: 0,
            rows: sets,
            length: count,
            rowStride,
          };
          const tied = { buffer: poisonedIntegers(ops, sets + 1), offset: 1 };
          ops.heavyHitters({
            query: inputView(ops, [heads, queries, channels], layout, 1),
            key: inputView(ops, [groups, firstKey + queries + 2, channels], layout, 2),
            ...{
              scale: 0.3,
              softCap,
              firstKey,
              recentCount,
              tokens,
              received,
              tied,
              mostProducts: MOST_PRODUCTS,
            },
          });
          return { tokens: tokens.buffer, received: received.buffer, tied: tied.buffer };
        },
        { relative: 5e-6, least: 0 },
      );
    },
  );

  it('counts ties of those that could be dropped, the dropped one among them', async () => {
    const [heads, queries, count, recentCount, channels] = [2, 5, 7, 2, 8];
    const firstKey = 2 * count + 1;
    await compare(backends, (ops) => {
      const tokens = lists(ops, heads, queries, count);
      const sets = heads * (queries + 1);
      // Of one head all have received the same, of the other every second one half as much; all keys are alike.
      const sums = Float32Array.from({ length: sets * tokens.rowStride }, (_, i) =>
        i >= tokens.rowStride && i % 2 === 0 ? 0.25 : 0.5,
      );
      const received = {
        buffer: ops.upload(sums, 'received'),
        offset: 0,
        rows: sets,
        length: count,
        rowStride: tokens.rowStride,
      };
      const tied = { buffer: poisonedIntegers(ops, sets + 1), offset: 1 };
      ops.heavyHitters({
        query: inputView(ops, [heads, queries, channels], 'dense', 1),
        key: inputView(
          ops,
          [1, firstKey + queries, channels],
          'dense',
          new Float32Array((firstKey + queries) * channels),
        ),
        ...{ scale: 0.3, firstKey, recentCount, tokens, received, tied },
      });
      return { tokens: tokens.buffer, tied: tied.buffer };
    });
  });
});
