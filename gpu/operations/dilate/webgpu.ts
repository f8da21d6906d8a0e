import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import type { Recorder } from '../../webgpu/recorder';
import code from './dilate.wgsl?raw';
import tileCode from './dilate-tile.wgsl?raw';
import { checkDilate, type DilateArguments } from './op';

const kernel = defineKernel('dilate', code, { input: 'read', out: 'write' });
const tileKernel = defineKernel('dilate-tile', tileCode, { input: 'read', out: 'write' });

/** Entries that a workgroup of the tiled kernel holds, those beside its own included. */
const TILE = 1024;
/** Windows for which holding them pays: shorter ones are read faster than shared, longer ones fill the tile. */
const LEAST_TILE_RADIUS = 8;
const MOST_TILE_RADIUS = 384;

/** Records `Ops.dilate`. */
export function dilate(recorder: Recorder, a: DilateArguments): void {
  checkDilate(a);
  const { input, out } = a;
  const elements = input.rows * input.length;
  if (elements === 0) return;
  // More than the row is the row.
  const radius = Math.min(a.radius, input.length);
  const parameters = {
    rows: input.rows,
    length: input.length,
    // Beyond the row, and beyond 32 bits, it says no more.
    firstLength: Math.min(a.firstLength ?? input.length, input.length),
    radius,
    inputOffset: input.offset,
    inputRowStride: input.rowStride,
    outOffset: out.offset,
    outRowStride: out.rowStride,
  };
  const buffers = { input: input.buffer, out: out.buffer };
  if (!recorder.emulatesThreads && radius >= LEAST_TILE_RADIUS && radius <= MOST_TILE_RADIUS) {
    const outputs = TILE - 2 * radius;
    const tiles = input.rows * Math.ceil(input.length / outputs);
    recorder.dispatch({
      kernel: tileKernel,
      constants: {},
      buffers,
      parameters: { ...parameters, outputs },
      workgroups: linearGrid(tiles, recorder.maxWorkgroupsPerDimension),
      work: { flops: 10 * tiles * TILE, bytes: 4 * (elements + tiles * TILE) },
    });
    return;
  }
  recorder.dispatch({
    kernel,
    constants: {},
    buffers,
    parameters,
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 4 * elements * (2 * radius + 1), bytes: 8 * elements },
  });
}
