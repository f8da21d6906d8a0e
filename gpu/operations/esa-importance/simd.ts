import { floatsOf } from '../../cpu/buffer';
import type { SimdKernels } from '../../cpu/simd/instance';
import { roundUp } from '../../cpu/simd/pack';
import { pays, scoreBlocks, TILE_KEYS } from '../../cpu/simd/score-blocks';
import { esaImportance } from './cpu';
import { checkEsaImportance } from './op';

/** The same as the reference's `esaImportance`. */
export function createSimdEsaImportance(kernels: SimdKernels): typeof esaImportance {
  return (a) => {
    if (!pays(a)) return esaImportance(a);
    checkEsaImportance(a);
    const count = a.key.rows;
    const peaks = floatsOf(a.out).subarray(a.outOffset, a.outOffset + count);
    const { run } = kernels;
    const padded = roundUp(count, TILE_KEYS);
    const wrong: number[] = [];
    scoreBlocks(kernels, a, padded, {
      begin: (memory, at) => memory.fill(Number.NEGATIVE_INFINITY, at, at + padded),
      take(_memory, row, scoresAt, peaksAt) {
        const scores = 8 * scoresAt;
        const best = run.largestDouble(scores, padded);
        if (!Number.isFinite(best)) wrong.push(row % count);
        run.raiseDoubles(8 * peaksAt, scores, padded, best);
      },
      end: (memory, at) => peaks.set(memory.subarray(at, at + count)),
    });
    for (const key of wrong) peaks[key] = Number.NEGATIVE_INFINITY;
  };
}
