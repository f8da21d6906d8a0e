import { type Arguments, checkTopK } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { fill } from './fill';
import code from './top-k.wgsl?raw';

const kernel = defineKernel('top-k', code, {
  score: 'read',
  secondary: 'read',
  out: 'write',
  tied: 'write',
});

const REAL_THREADS = { THREADS: 256, COPIES: 8, STRETCH: 8 };
/** Scans are what costs emulated threads: they get one tile. */
const EMULATED_THREADS = { THREADS: 64, COPIES: 1 };

/** Records `Ops.topK`. */
export function topK(recorder: Recorder, a: Arguments<'topK'>): void {
  checkTopK(a);
  const { score, secondary, out, tied } = a;
  if (score.rows === 0) return;
  if (out.count === 0) {
    if (tied) fill(recorder, tied.buffer, tied.offset, score.rows, 0);
    return;
  }
  const entries = score.rows * score.length;
  recorder.dispatch({
    kernel,
    constants: recorder.emulatesThreads
      ? { ...EMULATED_THREADS, STRETCH: 64 * Math.ceil(score.length / 4096) }
      : REAL_THREADS,
    buffers: {
      score: score.buffer,
      secondary: secondary?.buffer ?? recorder.unused,
      out: out.buffer,
      tied: tied?.buffer ?? recorder.unusedOutput(0),
    },
    parameters: {
      rows: score.rows,
      length: score.length,
      count: out.count,
      indexBase: a.indexBase,
      scoreOffset: score.offset,
      scoreRowStride: score.rowStride,
      secondaryOffset: secondary?.offset ?? 0,
      secondaryRowStride: secondary?.rowStride ?? 0,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      tiedOffset: tied?.offset ?? 0,
      hasSecondary: Number(secondary !== undefined),
      hasTied: Number(tied !== undefined),
    },
    workgroups: linearGrid(score.rows, recorder.maxWorkgroupsPerDimension),
    work: { flops: entries * (secondary ? 80 : 40), bytes: 4 * entries * (secondary ? 14 : 6) },
  });
}
