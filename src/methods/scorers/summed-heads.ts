/** Another method's scores, summed over the KV heads of a layer: one choice for all of them. */
import { headMajorRows } from '../../../gpu/rows';
import type { Scorer } from '../compose';
import { inBuffers } from '../remember';
import { denseScores } from '../units';

export function summedHeads(base: Scorer): Scorer {
  return {
    ...base,
    sets: 'layer',
    name(parameters, layer) {
      const name = base.name(parameters, layer);
      return name && `summed/${name}`;
    },
    score(context, parameters, input, tokens, followed) {
      const { ops } = context;
      const made = base.score(context, parameters, input, tokens, followed);
      const { buffer, offset, rows, rowStride } = made.score;
      const sums = ops.scratch('f32', tokens, 'scores of a layer');
      ops.sumHeads({
        input: { ...headMajorRows(buffer, rows, 1, tokens, offset), headStride: rowStride },
        out: headMajorRows(sums, 1, 1, tokens),
      });
      made.release();
      return inBuffers(ops, [sums], { score: denseScores(sums, 1, tokens) });
    },
    // Sums do not hold a base's first and last tokens above all others.
    candidates: (_parameters, _layer, tokens) => ({ start: 0, end: tokens }),
    operations: (parameters, context, tokens, layer) =>
      base.operations(parameters, context, tokens, layer) + (context.keyValueHeads - 1) * tokens,
    memory: (parameters, place) => [
      ...(base.memory?.(parameters, place) ?? []),
      { label: 'scores of a layer', elements: place.tokens, count: 1 },
    ],
  };
}
