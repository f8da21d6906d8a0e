import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineKernel } from '../../webgpu/kernel';
import shader from './cascade.wgsl';
import { type CascadeArguments, checkCascade } from './op';

const kernel = defineKernel('cascade', shader);

/** Encodes `Ops.cascade`. */
export function cascade(encoder: CommandEncoder, a: CascadeArguments): void {
  checkCascade(a);
  const { tokens, firstToken, score, drops, out, outScore } = a;
  const { sets, count: held } = tokens;
  if (sets === 0 || score.length === 0) return;
  const arriving = score.length - held;
  const caches = encoder.temporary('u32', Math.max(1, 2 * 2 * sets * out.count), 'caches of two tokens');
  encoder.dispatch({
    kernel,
    constants: { THREADS: encoder.isSoftwareAdapter ? 32 : 256 },
    buffers: {
      tokens: tokens.buffer,
      score: score.buffer,
      drops: drops.buffer,
      out: out.buffer,
      outScore: outScore.buffer,
      caches,
    },
    parameters: {
      sets,
      held,
      arriving,
      count: out.count,
      firstToken,
      tokensOffset: tokens.offset,
      tokensRowStride: tokens.rowStride,
      scoreOffset: score.offset,
      scoreRowStride: score.rowStride,
      dropsOffset: drops.offset,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      outScoreOffset: outScore.offset,
      outScoreRowStride: outScore.rowStride,
    },
    workgroups: [sets, 1, 1],
    work: { flops: sets * arriving * out.count, bytes: 8 * sets * (score.length + arriving * out.count) },
  });
}
