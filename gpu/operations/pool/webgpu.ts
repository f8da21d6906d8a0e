import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import orderCode from '../../wgsl/parts/order.wgsl';
import { checkPool, type PoolArguments } from './op';
import maximumShader from './pool-max.wgsl';
import maximumTileShader from './pool-max-tile.wgsl';
import meanShader from './pool-mean.wgsl';

const mean = defineKernel('pool-mean', meanShader);
const maximum = defineKernel('pool-max', withParts(maximumShader, orderCode));
const maximumTile = defineKernel('pool-max-tile', withParts(maximumTileShader, orderCode));

/** Entries that a workgroup of the tiled kernel holds, those beside its own included. */
const TILE = 1024;
/** Windows for which holding them pays: shorter ones are read faster than shared, longer ones fill the tile. */
const LEAST_TILE_RADIUS = 8;
const MOST_TILE_RADIUS = 384;

/** Encodes `Ops.pool`. */
export function pool(encoder: CommandEncoder, a: PoolArguments): void {
  checkPool(a);
  const { kind, input, out, width } = a;
  const elements = input.rows * input.length;
  if (elements === 0) return;
  // More than the row is the row.
  const radius = Math.min((width - 1) / 2, input.length);
  const parameters = {
    rows: input.rows,
    length: input.length,
    // Beyond the row, and beyond 32 bits, it says no more.
    firstLength: Math.min(a.firstLength ?? input.length, input.length),
    radius,
    width,
    inputOffset: input.offset,
    inputRowStride: input.rowStride,
    outOffset: out.offset,
    outRowStride: out.rowStride,
  };
  const buffers = { input: input.buffer, out: out.buffer };
  const isTiled = kind === 'max' && radius >= LEAST_TILE_RADIUS && radius <= MOST_TILE_RADIUS;
  if (isTiled && !encoder.isSoftwareAdapter) {
    const outputs = TILE - 2 * radius;
    const tiles = input.rows * Math.ceil(input.length / outputs);
    encoder.dispatch({
      kernel: maximumTile,
      constants: {},
      buffers,
      parameters: { ...parameters, outputs },
      workgroups: linearGrid(tiles, encoder.maxWorkgroupsPerDimension),
      work: { flops: 10 * tiles * TILE, bytes: 4 * (elements + tiles * TILE) },
    });
    return;
  }
  encoder.dispatch({
    kernel: kind === 'max' ? maximum : mean,
    constants: {},
    buffers,
    parameters,
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: (kind === 'max' ? 4 : 1) * elements * (2 * radius + 1), bytes: 8 * elements },
  });
}
