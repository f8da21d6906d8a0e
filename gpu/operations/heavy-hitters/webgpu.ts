import { headMajorRows, type Rows, sliceRows } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineKernel, type Kernel, withParts } from '../../webgpu/kernel';
import type { KernelConstants } from '../../webgpu/unroll';
import { asVectors } from '../../webgpu/vectors';
import { scoreConstants, scored, scoreParameters } from '../../wgsl/parts/score';
import { matmul } from '../matmul/webgpu';
import acrossCode from './across.wgsl';
import acrossSubgroupsCode from './across-subgroups.wgsl';
import shader from './heavy-hitters.wgsl';
import { checkHeavyHitters, type HeavyHittersArguments, MOST_PRODUCTS } from './op';

const throughMemory = defineKernel('heavy-hitters', scored(withParts(shader, acrossCode)));
const bySubgroups = defineKernel('heavy-hitters-subgroups', scored(withParts(shader, acrossSubgroupsCode)), [
  'subgroups',
]);

/** For fewer queries than these one kernel that makes the products it needs is quicker than another before it. */
const FEWEST_QUERIES = 8;

/** Encodes `Ops.heavyHitters`. */
export function heavyHitters(encoder: CommandEncoder, a: HeavyHittersArguments): void {
  checkHeavyHitters(a);
  const { heads, rows: queries } = a.query;
  if (heads === 0 || queries === 0) return;
  const [query, key] = [asVectors(encoder, a.query), asVectors(encoder, a.key)];
  const caches = encoder.temporary('u32', heads * 2 * 2 * (a.tokens.count + 1), 'caches of two queries');
  // Each query waits for the one before it: what can be had beforehand is, and a key's product is one number to read.
  const most = Math.floor((a.mostProducts ?? MOST_PRODUCTS) / (heads * key.rows));
  const areMade = Math.min(queries, most) >= FEWEST_QUERIES;
  const products = areMade
    ? encoder.temporary('f32', heads * Math.min(queries, most) * key.rows, 'products with all keys')
    : null;
  for (let start = 0, count: number; start < queries; start += count) {
    count = products ? Math.min(most, queries - start) : queries;
    const part = { ...a, query: sliceRows(query, start, count), key, firstKey: a.firstKey + start };
    if (products) {
      const out = headMajorRows(products, heads, count, key.rows);
      matmul(encoder, { input: part.query, weight: key, out });
    }
    encodePart(encoder, part, start * heads, products, caches);
  }
}

/** Queries in turn, the first of which finds its cache in row `firstRow`. */
function encodePart(
  encoder: CommandEncoder,
  { query, key, tokens, received, tied, ...a }: HeavyHittersArguments,
  firstRow: number,
  products: Rows['buffer'] | null,
  caches: Rows['buffer'],
): void {
  const { heads, rows: queries } = query;
  const { count } = tokens;
  const { kernel, constants } = variantFor(encoder, count + 1);
  encoder.dispatch({
    kernel,
    constants: { ...constants, HAS_PRODUCTS: products !== null, ...scoreConstants(a) },
    buffers: {
      query: query.buffer,
      key: key.buffer,
      products: products ?? encoder.unused,
      tokens: tokens.buffer,
      received: received.buffer,
      tied: tied.buffer,
      caches,
    },
    parameters: {
      heads,
      headsPerGroup: heads / key.heads,
      queries,
      keys: key.rows,
      vectors: query.channels / 4,
      count,
      older: count + 1 - a.recentCount,
      firstKey: a.firstKey,
      ...scoreParameters(a),
      queryOffset: query.offset / 4,
      queryHeadStride: query.headStride / 4,
      queryRowStride: query.rowStride / 4,
      keyOffset: key.offset / 4,
      keyHeadStride: key.headStride / 4,
      keyRowStride: key.rowStride / 4,
      tokensOffset: tokens.offset + firstRow * tokens.rowStride,
      tokensRowStride: tokens.rowStride,
      receivedOffset: received.offset + firstRow * received.rowStride,
      receivedRowStride: received.rowStride,
      tiedOffset: tied.offset + firstRow,
    },
    workgroups: [heads, 1, 1],
    work: {
      flops: 2 * heads * queries * (count + 1) * ((products ? 0 : query.channels) + 8),
      bytes: 4 * heads * queries * (count + 1) * ((products ? 1 : query.channels) + 6),
    },
  });
}

/** For caches of so many keys, the query's own among them. */
function variantFor(encoder: CommandEncoder, keys: number): { kernel: Kernel; constants: KernelConstants } {
  const { subgroups, subgroupMinSize, subgroupMaxSize } = encoder.capabilities;
  const { maxInvocationsPerWorkgroup, maxWorkgroupStorageBytes } = encoder.capabilities;
  const hasSubgroups = subgroups && subgroupMinSize === subgroupMaxSize && 256 % subgroupMinSize === 0;
  // Through memory every thread has a sum and a least of 24 bytes, and so has each leader.
  const fitting = hasSubgroups || maxWorkgroupStorageBytes >= 24 * (1024 + 32) ? 1024 : 512;
  // Few pipelines for all sizes; the largest caches get more threads before they get more places.
  const [least, most] = encoder.isSoftwareAdapter
    ? [32, 256]
    : [256, Math.min(fitting, maxInvocationsPerWorkgroup)];
  const THREADS = Math.min(most, Math.max(least, 2 ** Math.ceil(Math.log2(keys / 8))));
  const PLACES = 2 ** Math.max(0, Math.ceil(Math.log2(keys / THREADS)));
  if (hasSubgroups && THREADS % subgroupMinSize === 0) {
    return { kernel: bySubgroups, constants: { THREADS, PLACES, SUBGROUP: subgroupMinSize } };
  }
  return {
    kernel: throughMemory,
    constants: { THREADS, PLACES, LEADERS: 2 ** Math.floor(Math.log2(THREADS) / 2) },
  };
}
