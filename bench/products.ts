import type { Ops } from '../gpu/ops';
import { matrixRows } from '../gpu/rows';
import { checkOutput, sampledIndices } from './check';
import { randomFloats } from './random';
import { dot } from './reference';
import type { Bench, Section } from './section';
import { timeRepeated } from './timing';

/** A matrix that a layer multiplies its activations with: `depth` channels in, `columns` out. */
interface Shape {
  readonly name: string;
  readonly depth: number;
  readonly columns: number;
}

/** The matrices of one layer of Qwen2-0.5B: width 896, 14 query heads and 2 key-value heads of 64 channels, 4,864 inside. */
const LAYER: readonly Shape[] = [
  { name: 'q', depth: 896, columns: 896 },
  { name: 'k', depth: 896, columns: 128 },
  { name: 'v', depth: 896, columns: 128 },
  { name: 'o', depth: 896, columns: 896 },
  { name: 'gate', depth: 896, columns: 4864 },
  { name: 'up', depth: 896, columns: 4864 },
  { name: 'down', depth: 4864, columns: 896 },
];

/** Layers whose weights a device's cache does not hold together: 60 MB each. */
const DECODED_LAYERS = 4;
/** Relative to the largest result; sums over thousands of channels in another order. */
const TOLERANCE = 1e-5;

/** Matrix products at the sizes that models have. */
export const products: Section = {
  name: 'matmul',
  title: 'Matrix products: a large square, and one layer of a model with 0.5 billion weights',
  needsGpu: true,
  async run(bench) {
    const { isSoftware } = bench.ops;
    const side = isSoftware ? 256 : 4096;
    await measureProduct(bench, 'matmul, square', side, { name: '', depth: side, columns: side });
    await measurePrefill(bench, isSoftware ? 16 : 2048);
    await measureDecode(bench, isSoftware ? 1 : DECODED_LAYERS);
  },
};

/** Every matrix of a layer times many rows, then all together: the layer's total is their sum. */
async function measurePrefill(bench: Bench, rows: number): Promise<void> {
  let milliseconds = 0;
  for (const shape of LAYER)
    milliseconds += await measureProduct(bench, `prefill, ${shape.name}`, rows, shape);
  bench.row({ name: 'prefill, one layer', size: `${rows} rows`, milliseconds, ...work(rows, LAYER) });
}

/** One row times every matrix, layer after layer, so that weights come from memory as they do when a model decodes. */
async function measureDecode(bench: Bench, layers: number): Promise<void> {
  const { ops, row } = bench;
  for (const shape of LAYER) await measureProduct(bench, `decode, ${shape.name}`, 1, shape);
  const prepared = Array.from({ length: layers }, (_, layer) =>
    LAYER.map((shape, index) => prepare(ops, 1, shape, 100 * layer + index)),
  ).flat();
  for (const product of prepared) await product.check(`decode, ${product.shape.name}`);
  const milliseconds = await timeRepeated(
    () => ops.stopwatch(),
    () => {
      for (const product of prepared) product.encode();
    },
  );
  row({
    name: 'decode, one layer of several',
    size: `1 row, ${layers} layers in turn`,
    milliseconds: milliseconds / layers,
    ...work(1, LAYER),
  });
  for (const product of prepared) product.release();
}

async function measureProduct(bench: Bench, name: string, rows: number, shape: Shape): Promise<number> {
  const { ops } = bench;
  const product = prepare(ops, rows, shape, 1);
  await product.check(name);
  const milliseconds = await timeRepeated(() => ops.stopwatch(), product.encode);
  product.release();
  const size = `${rows} × ${shape.columns} over ${shape.depth}`;
  bench.row({ name, size, milliseconds, ...work(rows, [shape]) });
  return milliseconds;
}

function prepare(ops: Ops, rows: number, shape: Shape, seed: number) {
  const { depth, columns } = shape;
  const inputData = randomFloats(rows * depth, seed);
  const weightData = randomFloats(columns * depth, seed + 1);
  const input = matrixRows(ops.upload(inputData, 'input'), rows, depth);
  const weight = matrixRows(ops.upload(weightData, 'weight'), columns, depth);
  const out = matrixRows(ops.allocate('f32', rows * columns, 'out'), rows, columns);
  return {
    shape,
    encode: () => ops.matmul({ input, weight, out }),
    release: () => ops.release(input.buffer, weight.buffer, out.buffer),
    /** Sixteen rows, sixteen columns of each, in double precision. */
    async check(name: string): Promise<void> {
      ops.matmul({ input, weight, out });
      const result = await ops.readFloats(out.buffer);
      const places = sampledIndices(rows, 16).flatMap((i) => sampledIndices(columns, 16).map((j) => [i, j]));
      const channelsOf = (data: Float32Array, row: number) => data.subarray(row * depth, (row + 1) * depth);
      checkOutput(
        name,
        places.map(([i, j]) => result[i! * columns + j!]!),
        places.map(([i, j]) => dot(channelsOf(inputData, i!), channelsOf(weightData, j!))),
        TOLERANCE,
      );
    },
  };
}

/** Two operations per weight and row; input, weights and output once, at four bytes a number. */
function work(rows: number, shapes: readonly Shape[]): { flops: number; bytes: number } {
  let flops = 0;
  let bytes = 0;
  for (const { depth, columns } of shapes) {
    flops += 2 * rows * depth * columns;
    bytes += 4 * (rows * depth + depth * columns + rows * columns);
  }
  return { flops, bytes };
}
