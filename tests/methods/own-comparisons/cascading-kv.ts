/**
 * Cascading KV Cache drops while it reads, wherever the queries begin. Its sub-caches are what is kept, which is compared as of any
 * method, in pieces: how many tokens each has is known without scores.
 */
import { Filling } from '../../../src/methods/cascading-kv/filling';
import { shapeIn } from '../../../src/methods/cascading-kv/schema';
import { expected, expectedKept, shape } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'cascading@',
  evictAt: shape.tokens,
  tensors: ['cascades'],
  async compare({ name, text, parameters, fail }) {
    for (const { layer } of text.layerTraces) {
      const { sinkTokens, every, cascadeTokens } = shapeIn(parameters, layer);
      const counts = new Filling(shapeIn(parameters, layer)).countsAfter(text.tokens);
      const wanted = expected.int32(`${name}.cascades.${layer}`);
      const slots = every.length * cascadeTokens;
      for (const [set, kept] of expectedKept(`${name}.kept.${layer}`).entries()) {
        // In the order of the text the last sub-cache comes first.
        let end = kept.length;
        const given = counts.flatMap((count) => {
          const held = kept.slice(Math.max(sinkTokens, end - count), end);
          end -= count;
          return [...held, ...new Array<number>(cascadeTokens - held.length).fill(-1)];
        });
        const reference = [...wanted.subarray(set * slots, (set + 1) * slots)];
        if (end !== sinkTokens || String(given) !== String(reference))
          fail(`sub-caches of layer ${layer}, head ${set} hold ${given}, not ${reference}`);
      }
    }
  },
};
