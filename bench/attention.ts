import type { IndexList, Ops, VisibleKeys } from '../gpu/ops';
import { headMajorRows, tokenMajorRows } from '../gpu/rows';
import { checkOutput, sampledIndices } from './check';
import { randomFloats } from './random';
import { attendOnce, range, rowOf } from './reference';
import type { Bench, Section } from './section';
import { timeRepeated } from './timing';

interface Sizes {
  /** Causal attention of a whole text. */
  readonly tokens: number;
  /** Attention over lists: queries, keys to choose from, and lengths of the list. */
  readonly queries: number;
  readonly keys: number;
  readonly selected: readonly number[];
  readonly heads: number;
  /** Key-value heads of grouped-query attention. */
  readonly groups: number;
  readonly channels: number;
}

const HARDWARE: Sizes = {
  tokens: 8192,
  queries: 512,
  keys: 32_768,
  selected: [512, 2048, 8192],
  heads: 16,
  groups: 4,
  channels: 64,
};
const SOFTWARE: Sizes = {
  tokens: 512,
  queries: 64,
  keys: 2048,
  selected: [32, 128, 512],
  heads: 4,
  groups: 2,
  channels: 64,
};
const TOLERANCE = 1e-5;

/** Attention over a whole text, and over gathered lists of keys, which should cost in proportion to the keys kept. */
export const attention: Section = {
  name: 'attention',
  title: 'Attention: causal over a whole text, and over lists of selected keys',
  needsGpu: true,
  async run(bench) {
    const sizes = bench.ops.isSoftware ? SOFTWARE : HARDWARE;
    const { tokens, queries, keys, heads, groups, channels } = sizes;
    for (const keyValueHeads of [heads, groups]) {
      await measureAttention(bench, {
        name: keyValueHeads === heads ? 'attention, causal' : 'attention, causal, grouped',
        size: `${heads} heads over ${keyValueHeads}, ${tokens} × ${tokens}, d ${channels}`,
        shape: { heads, groups: keyValueHeads, channels, queries: tokens, keys: tokens },
        pairs: (tokens * (tokens + 1)) / 2,
        readKeys: tokens,
        seenBy: (query) => range(0, query + 1),
        visible: () => ({ range: { start: 0, end: tokens, causal: true } }),
      });
    }
    const perKey: string[] = [];
    for (const count of sizes.selected) {
      const list = spreadList(count, keys);
      const milliseconds = await measureAttention(bench, {
        name: `attention over a list of ${count}`,
        size: `${heads} heads over ${groups}, ${queries} × ${count} of ${keys}`,
        shape: { heads, groups, channels, queries, keys },
        pairs: queries * count,
        readKeys: count,
        seenBy: () => list,
        visible: (ops) => ({ list: indexList(ops, list), range: { start: 0, end: 0, causal: false } }),
      });
      perKey.push(`${((1e6 * milliseconds) / count).toPrecision(3)} ns for ${count}`);
    }
    bench.print(`time per kept key: ${perKey.join(', ')}`);
    bench.figure('time per kept key', perKey);
  },
};

interface AttentionCase {
  readonly name: string;
  readonly size: string;
  readonly shape: { heads: number; groups: number; channels: number; queries: number; keys: number };
  /** Visible pairs of a query and a key, in each head. */
  readonly pairs: number;
  /** Keys that any query sees. */
  readonly readKeys: number;
  seenBy(query: number): Uint32Array;
  visible(ops: Ops): VisibleKeys;
}

async function measureAttention({ ops, row }: Bench, attentionCase: AttentionCase): Promise<number> {
  const { name, size, shape, pairs, readKeys, seenBy } = attentionCase;
  const { heads, groups, channels, queries, keys } = shape;
  const data = {
    query: randomFloats(heads * queries * channels, 1),
    key: randomFloats(groups * keys * channels, 2),
    value: randomFloats(groups * keys * channels, 3),
  };
  const query = tokenMajorRows(ops.upload(data.query, 'query'), heads, queries, channels);
  const key = headMajorRows(ops.upload(data.key, 'key'), groups, keys, channels);
  const value = headMajorRows(ops.upload(data.value, 'value'), groups, keys, channels);
  const out = { ...query, buffer: ops.allocate('f32', query.buffer.length, 'out') };
  const logSumExp = {
    buffer: ops.allocate('f32', heads * queries, 'log-sum-exp'),
    offset: 0,
    headStride: queries,
  };
  const scale = channels ** -0.5;
  const visible = attentionCase.visible(ops);
  const encode = () => ops.attention({ query, key, value, scale, visible, out, logSumExp });

  encode();
  const result = await ops.readFloats(out.buffer);
  for (const head of sampledIndices(heads, 3)) {
    const group = Math.floor((head * groups) / heads);
    const rowsOf = (tensor: Float32Array) => ({
      data: tensor,
      offset: group * keys * channels,
      stride: channels,
    });
    for (const index of sampledIndices(queries, 5)) {
      const start = (index * heads + head) * channels;
      const own = data.query.subarray(start, start + channels);
      const parts = [{ query: own, key: rowsOf(data.key), rows: seenBy(index) }];
      const expected = attendOnce(parts, rowsOf(data.value), scale);
      const actual = rowOf({ data: result, offset: start, stride: 0 }, 0, channels);
      checkOutput(`${name}, head ${head}, query ${index}`, actual, expected, TOLERANCE);
    }
  }

  const milliseconds = await timeRepeated(() => ops.stopwatch(), encode);
  const flops = 4 * heads * pairs * channels;
  const bytes = 8 * channels * (heads * queries + groups * readKeys);
  row({ name, size, milliseconds, flops, bytes });
  ops.release(query.buffer, key.buffer, value.buffer, out.buffer, logSumExp.buffer);
  if (visible.list) ops.release(visible.list.buffer);
  return milliseconds;
}

/** `count` ascending indices below `length`, at uneven steps: every stretch of length ÷ count gives one. */
function spreadList(count: number, length: number): Uint32Array {
  const step = length / count;
  const shift = randomFloats(count, 7);
  return Uint32Array.from(shift, (value, i) => Math.floor(step * (i + (value + 1) / 2)));
}

function indexList(ops: Ops, list: Uint32Array): IndexList {
  const buffer = ops.upload(list, 'list');
  return { buffer, offset: 0, sets: 1, count: list.length, rowStride: list.length };
}
