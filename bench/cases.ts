import type { Ops } from '../gpu/ops';
import { type DeviceBuffer, headMajorRows, matrixRows, type Rows, tokenMajorRows } from '../gpu/rows';

/** Sizes of the bundled model's kind, larger where the device is faster. */
export interface Sizes {
  /** Query rows. */
  readonly rows: number;
  /** Key rows. */
  readonly keys: number;
  readonly heads: number;
  readonly groups: number;
  /** Channels of a head. */
  readonly channels: number;
  /** Channels of the model. */
  readonly width: number;
}

/** An operation with its inputs in place. */
export interface PreparedCase {
  readonly size: string;
  readonly flops: number;
  readonly bytes: number;
  /** What `record` writes. */
  readonly out: DeviceBuffer;
  record(): void;
}

export interface KernelCase {
  readonly name: string;
  /** Largest error, relative to the largest value. Integers must be equal. */
  readonly tolerance: number;
  prepare(ops: Ops, sizes: Sizes): PreparedCase;
}

/** Repeatable numbers between −1 and 1. */
function floats(ops: Ops, length: number, seed: number): DeviceBuffer {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return ops.upload(Float32Array.from({ length }, next), 'input');
}

function matmulCase(name: string, rowsOf: (sizes: Sizes) => number): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const rows = rowsOf(sizes);
      const [depth, columns] = [sizes.width, 4 * sizes.width];
      const input = matrixRows(floats(ops, rows * depth, 1), rows, depth);
      const weight = matrixRows(floats(ops, columns * depth, 2), columns, depth);
      const out = matrixRows(ops.allocate('f32', rows * columns, 'out'), rows, columns);
      return {
        size: `${rows} × ${columns} over ${depth}`,
        flops: 2 * rows * columns * depth,
        bytes: 4 * (rows * depth + columns * depth + rows * columns),
        out: out.buffer,
        record: () => ops.matmul({ input, weight, out }),
      };
    },
  };
}

/** Element-wise operations on [rows, width]. */
function elementCase(
  name: string,
  flopsPerElement: number,
  buffers: number,
  record: (ops: Ops, input: Rows, other: Rows, out: Rows) => void,
): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, { rows, width }) {
      const elements = rows * width;
      const [input, other] = [1, 2].map((seed) => matrixRows(floats(ops, elements, seed), rows, width));
      const out = matrixRows(ops.allocate('f32', elements, 'out'), rows, width);
      return {
        size: `${rows} × ${width}`,
        flops: flopsPerElement * elements,
        bytes: 4 * buffers * elements,
        out: out.buffer,
        record: () => record(ops, input!, other!, out),
      };
    },
  };
}

/** Query, key and a log-sum-exp that fits them; the last query sees the last key. */
function attentionInputs(ops: Ops, sizes: Sizes, rows: number) {
  const { keys, heads, groups, channels } = sizes;
  const query = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
  const key = headMajorRows(floats(ops, groups * keys * channels, 2), groups, keys, channels);
  const value = headMajorRows(floats(ops, groups * keys * channels, 3), groups, keys, channels);
  const lse = ops.upload(new Float32Array(heads * rows).fill(Math.log(keys)), 'logSumExp');
  const pairs = heads * rows * (keys - (rows - 1) / 2);
  return {
    query,
    key,
    value,
    scale: channels ** -0.5,
    logSumExp: { buffer: lse, offset: 0, headStride: rows },
    causalOffset: keys - rows,
    pairs,
    inputBytes: 4 * channels * (heads * rows + groups * keys),
    size: `${heads} heads, ${rows} × ${keys}, d ${channels}`,
  };
}

function attentionCase(name: string, rowsOf: (sizes: Sizes) => number): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const { query, key, value, scale, logSumExp, pairs, inputBytes, size } = attentionInputs(
        ops,
        sizes,
        rowsOf(sizes),
      );
      const out = { ...query, buffer: ops.allocate('f32', query.buffer.length, 'out') };
      const visible = { range: { start: 0, end: sizes.keys, causal: true } };
      return {
        size,
        flops: 4 * pairs * sizes.channels,
        bytes: 2 * inputBytes,
        out: out.buffer,
        record: () => ops.attention({ query, key, value, scale, visible, out, logSumExp }),
      };
    },
  };
}

type AttentionInputs = ReturnType<typeof attentionInputs>;

/** Operations that compute the weights once more. */
function weightsCase(
  name: string,
  outLength: (sizes: Sizes) => number,
  record: (ops: Ops, inputs: AttentionInputs, out: DeviceBuffer, sizes: Sizes) => () => void,
): KernelCase {
  return {
    name,
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const inputs = attentionInputs(ops, sizes, sizes.rows);
      const out = ops.allocate('f32', outLength(sizes), 'out');
      return {
        size: inputs.size,
        flops: 2 * inputs.pairs * sizes.channels,
        bytes: inputs.inputBytes + 4 * outLength(sizes),
        out,
        record: record(ops, inputs, out, sizes),
      };
    },
  };
}

const GROUPINGS = 12;
const CLASSES = 3;

export const kernelCases: readonly KernelCase[] = [
  matmulCase('matmul', ({ rows }) => rows),
  matmulCase('matmul, one row', () => 1),
  attentionCase('attention', ({ rows }) => rows),
  attentionCase('attention, one query', () => 1),
  elementCase('normalize', 4, 3, (ops, input, weight, out) =>
    ops.normalize({ kind: 'rms', input, weight: weight.buffer, epsilon: 1e-5, out }),
  ),
  elementCase('gate', 6, 3, (ops, gate, up, out) => ops.gate({ gate, up, out })),
  elementCase('activate', 10, 2, (ops, input, _, out) => ops.activate({ kind: 'gelu', input, out })),
  elementCase('copyRows', 0, 2, (ops, input, _, out) => ops.copyRows({ input, out })),
  {
    name: 'rotate',
    tolerance: 1e-5,
    prepare(ops, { rows, heads, channels }) {
      const f = channels / 2;
      const input = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
      const out = { ...input, buffer: ops.allocate('f32', input.buffer.length, 'out') };
      const [cosine, sine] = [2, 3].map((seed) => floats(ops, rows * f, seed));
      const table = { cosine: cosine!, sine: sine!, positions: rows, frequencies: f };
      return {
        size: `${heads} heads, ${rows} × ${channels}`,
        flops: 3 * heads * rows * channels,
        bytes: 4 * rows * channels * (2 * heads + 1),
        out: out.buffer,
        record: () => ops.rotate({ input, table, positions: { start: 0, step: 1 }, out }),
      };
    },
  },
  {
    name: 'sumHeads',
    tolerance: 1e-5,
    prepare(ops, { rows, heads, groups, channels }) {
      const input = tokenMajorRows(floats(ops, heads * rows * channels, 1), heads, rows, channels);
      const out = headMajorRows(ops.allocate('f32', groups * rows * channels, 'out'), groups, rows, channels);
      return {
        size: `${heads} to ${groups} heads, ${rows} × ${channels}`,
        flops: heads * rows * channels,
        bytes: 4 * rows * channels * (heads + groups),
        out: out.buffer,
        record: () => ops.sumHeads({ input, out }),
      };
    },
  },
  {
    name: 'gatherRows',
    tolerance: 0,
    prepare(ops, { rows, keys, width }) {
      const table = matrixRows(floats(ops, keys * width, 1), keys, width);
      const indices = ops.upload(
        Uint32Array.from({ length: rows }, (_, i) => (i * 37) % keys),
        'indices',
      );
      const out = matrixRows(ops.allocate('f32', rows * width, 'out'), rows, width);
      return {
        size: `${rows} of ${keys} × ${width}`,
        flops: 0,
        bytes: 8 * rows * width,
        out: out.buffer,
        record: () => ops.gatherRows({ table, indices, indexOffset: 0, out }),
      };
    },
  },
  {
    name: 'argmax',
    tolerance: 0,
    prepare(ops, { rows, keys }) {
      const input = matrixRows(floats(ops, rows * keys, 1), rows, keys);
      const out = ops.allocate('u32', rows, 'out');
      return {
        size: `${rows} × ${keys}`,
        flops: 0,
        bytes: 4 * rows * keys,
        out,
        record: () => ops.argmax({ input, out, outOffset: 0 }),
      };
    },
  },
  {
    name: 'mergeAttention',
    tolerance: 1e-5,
    prepare(ops, { rows, heads, channels }) {
      const [into, from] = [1, 3].map((seed) => ({
        out: tokenMajorRows(floats(ops, heads * rows * channels, seed), heads, rows, channels),
        logSumExp: { buffer: floats(ops, heads * rows, seed + 1), offset: 0, headStride: rows },
      }));
      return {
        size: `${heads} heads, ${rows} × ${channels}`,
        flops: 3 * heads * rows * channels,
        bytes: 12 * heads * rows * channels,
        out: into!.out.buffer,
        record: () => ops.mergeAttention({ into: into!, from: from! }),
      };
    },
  },
  {
    name: 'peakScores',
    tolerance: 1e-5,
    prepare(ops, { rows, keys, channels }) {
      const query = matrixRows(floats(ops, rows * channels, 1), rows, channels);
      const key = matrixRows(floats(ops, keys * channels, 2), keys, channels);
      const out = ops.allocate('f32', keys, 'out');
      return {
        size: `${rows} × ${keys} over ${channels}`,
        // The score matrix is computed twice.
        flops: 4 * rows * keys * channels,
        bytes: 8 * (rows + keys) * channels,
        out,
        record: () => ops.peakScores({ query, key, out, outOffset: 0 }),
      };
    },
  },
  {
    name: 'dilate',
    tolerance: 0,
    prepare(ops, { keys }) {
      const rows = { offset: 0, rows: 1, length: keys, rowStride: keys };
      const input = { buffer: floats(ops, keys, 1), ...rows };
      const out = { buffer: ops.allocate('f32', keys, 'out'), ...rows };
      return {
        size: `${keys}, radius 3`,
        flops: 7 * keys,
        bytes: 8 * keys,
        out: out.buffer,
        record: () => ops.dilate({ input, radius: 3, out }),
      };
    },
  },
  {
    name: 'topK',
    tolerance: 0,
    prepare(ops, { keys }) {
      const count = Math.ceil(keys / 4);
      const rows = { offset: 0, rows: 1, length: keys, rowStride: keys };
      const score = { buffer: floats(ops, keys, 1), ...rows };
      const secondary = { buffer: floats(ops, keys, 2), ...rows };
      const list = ops.allocate('u32', count, 'list');
      const out = { buffer: list, offset: 0, sets: 1, count, rowStride: count };
      return {
        size: `${count} of ${keys}`,
        flops: 0,
        bytes: 8 * keys + 4 * count,
        out: list,
        record: () => ops.topK({ score, secondary, count, indexBase: 0, out }),
      };
    },
  },
  {
    name: 'lagScores',
    tolerance: 1e-5,
    prepare(ops, { keys, groups, channels }) {
      const lagTokens = 16;
      const partitions = keys / lagTokens - 1;
      const [key, value] = [1, 2].map((seed) =>
        headMajorRows(floats(ops, groups * keys * channels, seed), groups, keys, channels),
      );
      const length = partitions * lagTokens;
      const out = {
        buffer: ops.allocate('f32', groups * length, 'out'),
        offset: 0,
        rows: groups,
        length,
        rowStride: length,
      };
      return {
        size: `${groups} heads, ${partitions} × ${lagTokens}, d ${channels}`,
        flops: 16 * groups * length * channels,
        bytes: 16 * groups * length * channels,
        out: out.buffer,
        record: () =>
          ops.lagScores({
            key: key!,
            value: value!,
            keyFactor: 1,
            valueFactor: 1,
            lagTokens,
            partitions,
            out,
          }),
      };
    },
  },
  {
    name: 'segmentRanks',
    tolerance: 1e-6,
    prepare(ops, { keys, groups }) {
      const segmentLength = 16;
      const rows = { offset: 0, rows: groups, length: keys, rowStride: keys };
      const input = { buffer: floats(ops, groups * keys, 1), ...rows };
      const out = { buffer: ops.allocate('f32', groups * keys, 'out'), ...rows };
      return {
        size: `${groups} × ${keys}, segments of ${segmentLength}`,
        flops: 2 * groups * keys * segmentLength,
        bytes: 8 * groups * keys,
        out: out.buffer,
        record: () => ops.segmentRanks({ input, segmentLength, out }),
      };
    },
  },
  weightsCase(
    'attentionWeights',
    ({ heads, rows, keys }) => heads * rows * keys,
    (ops, inputs, out) => () => ops.attentionWeights({ ...inputs, out }),
  ),
  weightsCase(
    'attentionColumnSums',
    ({ groups, keys }) => groups * keys,
    (ops, inputs, buffer, { groups, keys }) => {
      const out = { buffer, offset: 0, rows: groups, length: keys, rowStride: keys };
      return () => ops.attentionColumnSums({ ...inputs, out });
    },
  ),
  weightsCase(
    `massByClass, ${GROUPINGS} groupings`,
    ({ heads, rows }) => GROUPINGS * heads * rows * CLASSES,
    (ops, inputs, out, { keys }) => {
      const classes = Uint32Array.from({ length: GROUPINGS * keys }, (_, i) => (i * 7 + (i >> 3)) % CLASSES);
      const classOf = ops.upload(classes, 'classes');
      const grouped = { classOf, groupings: GROUPINGS, sets: 1, classes: CLASSES };
      return () => ops.massByClass({ ...inputs, ...grouped, out });
    },
  ),
  {
    name: 'attentionTile',
    tolerance: 1e-5,
    prepare(ops, sizes) {
      const inputs = attentionInputs(ops, { ...sizes, heads: 1, groups: 1 }, sizes.rows);
      const [width, height] = [64, Math.min(64, sizes.rows)];
      const [maximum, mean] = ['maximum', 'mean'].map((label) => ops.allocate('f32', width * height, label));
      const pixels = { width, height, rowStep: 1, maximum: maximum!, mean: mean!, outOffset: 0 };
      return {
        size: `${inputs.size} to ${width} × ${height}`,
        flops: 2 * inputs.pairs * sizes.channels,
        bytes: inputs.inputBytes,
        out: mean!,
        record: () => ops.attentionTile({ ...inputs, ...pixels }),
      };
    },
  },
];
