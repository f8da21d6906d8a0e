import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineKernel } from '../../webgpu/kernel';
import { asVectors } from '../../webgpu/vectors';
import shader from './heavy-hitters.wgsl';
import { checkHeavyHitters, type HeavyHittersArguments } from './op';

const kernel = defineKernel('heavy-hitters', shader);

/** Encodes `Ops.heavyHitters`. */
export function heavyHitters(encoder: CommandEncoder, a: HeavyHittersArguments): void {
  checkHeavyHitters(a);
  const { tokens, received, tied, recentCount } = a;
  const { heads, rows: queries, channels } = a.query;
  if (heads === 0 || queries === 0) return;
  const [query, key] = [asVectors(encoder, a.query), asVectors(encoder, a.key)];
  const { count } = tokens;
  encoder.dispatch({
    kernel,
    constants: { THREADS: encoder.isSoftwareAdapter ? 32 : 256 },
    buffers: {
      query: query.buffer,
      key: key.buffer,
      tokens: tokens.buffer,
      received: received.buffer,
      tied: tied.buffer,
    },
    parameters: {
      heads,
      headsPerGroup: heads / key.heads,
      queries,
      keys: key.rows,
      vectors: channels === 0 ? 0 : query.channels / 4,
      count,
      older: count + 1 - recentCount,
      firstKey: a.firstKey,
      scale: a.scale,
      queryOffset: query.offset / 4,
      queryHeadStride: query.headStride / 4,
      queryRowStride: query.rowStride / 4,
      keyOffset: key.offset / 4,
      keyHeadStride: key.headStride / 4,
      keyRowStride: key.rowStride / 4,
      tokensOffset: tokens.offset,
      tokensRowStride: tokens.rowStride,
      receivedOffset: received.offset,
      receivedRowStride: received.rowStride,
      tiedOffset: tied.offset,
    },
    workgroups: [heads, 1, 1],
    work: {
      flops: 2 * heads * queries * (count + 1) * (channels + 8),
      bytes: 4 * heads * queries * (count + 1) * (channels + 6),
    },
  });
}
