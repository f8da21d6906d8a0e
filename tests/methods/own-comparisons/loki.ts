/** The maps onto the principal components: the same whatever the signs of eigenvectors are. */
import { methodContext } from '../../../src/measure/trace-run';
import { prepareProjectors } from '../../../src/methods/loki/projectors';
import { ownMemo } from '../../../src/methods/remember';
import { largestMagnitude } from '../agreement';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

/** Of entries that are at most 1: eigenvectors of double precision, of keys that are not. */
const MOST = 2e-6;

export const own: OwnComparison = {
  runs: 'loki@',
  tensors: ['projector'],
  async compare({ name, ops, text, parameters, report, fail }) {
    const memo = ownMemo();
    const context = methodContext(text, text.tokens);
    const projectors = await prepareProjectors(context, parameters, memo, text.layerTraces);
    for (const { layer } of text.layerTraces) {
      const wanted = expected.float32(`${name}.projector.${layer}`);
      const given = await ops.readFloats(projectors.of(layer).buffer);
      if (given.length !== wanted.length) fail(`projector.${layer} has ${given.length} entries`);
      const difference = largestMagnitude([given.map((value, i) => value - wanted[i]!)]);
      report('projector', difference);
      if (!(difference <= MOST)) fail(`projector.${layer} differs by ${difference}`);
    }
    memo.release();
  },
};
