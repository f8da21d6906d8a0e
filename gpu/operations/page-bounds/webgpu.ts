import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import { elementsOf } from '../../webgpu/views';
import orderCode from '../../wgsl/parts/order.wgsl';
import { checkPageBounds, type PageBoundsArguments } from './op';
import shader from './page-bounds.wgsl';

const kernel = defineKernel('page-bounds', withParts(shader, orderCode));

/** Encodes `Ops.pageBounds`. */
export function pageBounds(encoder: CommandEncoder, a: PageBoundsArguments): void {
  checkPageBounds(a);
  const { key, pageLength, minimum, maximum } = a;
  const elements = elementsOf(minimum);
  if (elements === 0) return;
  encoder.dispatch({
    kernel,
    constants: {},
    buffers: { key: key.buffer, minimum: minimum.buffer, maximum: maximum.buffer },
    parameters: {
      heads: key.heads,
      keyRows: key.rows,
      pages: minimum.rows,
      channels: key.channels,
      pageLength: Math.min(pageLength, key.rows),
      keyOffset: key.offset,
      keyHeadStride: key.headStride,
      keyRowStride: key.rowStride,
      minimumOffset: minimum.offset,
      minimumHeadStride: minimum.headStride,
      minimumRowStride: minimum.rowStride,
      maximumOffset: maximum.offset,
      maximumHeadStride: maximum.headStride,
      maximumRowStride: maximum.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 8 * elementsOf(key), bytes: 4 * (elementsOf(key) + 2 * elements) },
  });
}
