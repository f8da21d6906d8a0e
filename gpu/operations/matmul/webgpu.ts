import type { Rows } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel, type Kernel } from '../../webgpu/kernel';
import type { Work } from '../../webgpu/pacer';
import type { KernelConstants } from '../../webgpu/unroll';
import { asVectors } from '../../webgpu/vectors';
import { hasVectors } from '../../webgpu/views';
import { gemmTile, splitTileOf } from '../../wgsl/parts/gemm-tile';
import { defineVec4StoreKernels } from '../../wgsl/parts/store-vec4';
import { forStored, storedType } from '../../wgsl/parts/stored';
import registersShader from './matmul.wgsl';
import columnsShader from './matmul-columns.wgsl';
import fewRowsShader from './matmul-few-rows.wgsl';
import tiledShader from './matmul-tiled.wgsl';
import { checkMatmul, type MatmulArguments, productsOf } from './op';

const registers = forStored('matmul', registersShader, defineKernel);
const tiled = forStored('matmul-tiled', gemmTile(tiledShader), defineVec4StoreKernels);
const fewRows = forStored('matmul-few-rows', fewRowsShader, defineKernel);
const columnsOnly = forStored('matmul-columns', columnsShader, defineKernel);

/** Up to this many rows every weight is read once for all of them. */
const FEW_ROWS = 8;
const REGISTERS_TILE = 64;

/** A kernel for many rows, and the part of the result that a workgroup computes. */
interface Tiling {
  readonly kernel: Kernel;
  readonly constants: KernelConstants;
  readonly tileRows: number;
  readonly tileColumns: number;
}

/** Encodes `Ops.matmul`. */
export function matmul(encoder: CommandEncoder, a: MatmulArguments): void {
  checkMatmul(a);
  if (a.out.rows === 0 || a.out.channels === 0) return;
  for (const product of productsOf(a)) multiplyHead(encoder, product);
}

/** Encodes a product of one head. */
function multiplyHead(encoder: CommandEncoder, a: MatmulArguments): void {
  const input = asVectors(encoder, a.input);
  const weight = asVectors(encoder, a.weight);
  if (input.rows <= FEW_ROWS) encodeFewRows(encoder, a, input, weight);
  else encodeTiled(encoder, a, input, weight);
}

function encodeTiled(encoder: CommandEncoder, a: MatmulArguments, input: Rows, weight: Rows): void {
  const { rows, channels: columns } = a.out;
  const parts = encoder.partsFor(matmulWork(rows, columns, input.channels));
  // Slices of columns first: every weight is then read in one of them only.
  const { kernel, constants, tileRows, tileColumns } = tilingFor(encoder, a, input.channels);
  const columnSpans = spans(columns, parts, tileColumns);
  const rowSpans = spans(rows, Math.ceil(parts / columnSpans.length), tileRows);
  for (const column of columnSpans) {
    for (const row of rowSpans) {
      encoder.dispatch({
        kernel,
        constants,
        buffers: matmulBuffers(encoder, a, input, weight),
        parameters: [
          {
            firstRow: row.start,
            endRow: row.start + row.count,
            firstColumn: column.start,
            endColumn: column.start + column.count,
          },
          matmulParameters(a, input, weight),
        ],
        workgroups: [Math.ceil(column.count / tileColumns), Math.ceil(row.count / tileRows), 1],
        work: matmulWork(row.count, column.count, input.channels),
      });
    }
  }
}

/** Workgroup memory serves hardware; on a software adapter threads pay too dearly for waiting for each other. */
function tilingFor(encoder: CommandEncoder, { out, weight }: MatmulArguments, channels: number): Tiling {
  const type = storedType(weight.buffer);
  if (encoder.isSoftwareAdapter) {
    return { kernel: registers[type], constants: {}, tileRows: REGISTERS_TILE, tileColumns: REGISTERS_TILE };
  }
  const shape = splitTileOf(encoder, out.rows, out.channels, channels);
  return {
    kernel: hasVectors(out) ? tiled[type].vectors : tiled[type].scalars,
    constants: shape.constants,
    tileRows: shape.leftRows,
    tileColumns: shape.rightRows,
  };
}

function encodeFewRows(encoder: CommandEncoder, a: MatmulArguments, input: Rows, weight: Rows): void {
  const { rows, channels: columns } = a.out;
  const type = storedType(weight.buffer);
  const lanes = lanesFor(encoder, columns, input.channels / 4);
  const [kernel, columnsPerWorkgroup] = encoder.isSoftwareAdapter
    ? [columnsOnly[type], 128]
    : [fewRows[type], 64 / lanes];
  const parts = encoder.partsFor(matmulWork(rows, columns, input.channels));
  for (const { start, count } of spans(columns, parts, columnsPerWorkgroup)) {
    encoder.dispatch({
      kernel,
      constants: {
        ROWS: 2 ** Math.ceil(Math.log2(rows)),
        ...(encoder.isSoftwareAdapter ? {} : { LANES: lanes }),
      },
      buffers: matmulBuffers(encoder, a, input, weight),
      parameters: [
        { firstColumn: start, endColumn: start + count, rows },
        matmulParameters(a, input, weight),
      ],
      workgroups: linearGrid(Math.ceil(count / columnsPerWorkgroup), encoder.maxWorkgroupsPerDimension),
      work: matmulWork(rows, count, input.channels),
    });
  }
}

/** Threads that share a column: more where columns are too few to keep the device busy, as long as each has vectors to go through. */
function lanesFor({ parallelThreads }: CommandEncoder, columns: number, vectors: number): number {
  const wanted = [64, 32].find((lanes) => columns * lanes <= parallelThreads && 3 * lanes <= vectors);
  return wanted ?? 16;
}

function matmulBuffers(encoder: CommandEncoder, a: MatmulArguments, input: Rows, weight: Rows) {
  return {
    input: input.buffer,
    weight: weight.buffer,
    bias: a.bias ?? encoder.unused,
    out: a.out.buffer,
  };
}

function matmulParameters(a: MatmulArguments, input: Rows, weight: Rows) {
  return {
    vectors: a.input.channels === 0 ? 0 : input.channels / 4,
    inputOffset: input.offset / 4,
    inputStride: input.rowStride / 4,
    weightOffset: weight.offset / 4,
    weightStride: weight.rowStride / 4,
    outOffset: a.out.offset,
    outRowStride: a.out.rowStride,
    hasBias: Number(a.bias !== undefined),
    accumulate: Number(a.accumulate === true),
  };
}

function matmulWork(rows: number, columns: number, depth: number): Work {
  return { flops: 2 * rows * columns * depth, bytes: 4 * (rows * depth + columns * depth + rows * columns) };
}
