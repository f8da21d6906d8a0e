/**
 * Centroids, thresholds and look-ups. The reference's queries are those of the observation window themselves; a study's come after it.
 */
import { readScoreRows } from '../../../src/measure/selection-reader';
import { methodContext, startTraceRun } from '../../../src/measure/trace-run';
import { equalBlocks } from '../../../src/methods/blocks';
import type { Method } from '../../../src/methods/method';
import { SqueezedRun } from '../../../src/methods/squeezed-attention/run';
import { chunkTokensOf, numbersIn } from '../../../src/methods/squeezed-attention/schema';
import { largestMagnitude } from '../agreement';
import { expected, shape } from '../fixture';
import type { OwnComparison } from '../own-comparison';

const asReference = (method: Method): Method => ({
  ...method,
  blocks(parameters, tokens) {
    const { clustered } = numbersIn(parameters, 0, shape.tokens);
    return [
      ...equalBlocks(0, clustered, clustered),
      ...equalBlocks(clustered, tokens, chunkTokensOf(parameters)),
    ];
  },
  start: (context, parameters) =>
    new SqueezedRun(context, parameters, numbersIn(parameters, 0, shape.tokens).clustered),
});

export const own: OwnComparison = {
  runs: 'squeezed',
  evictAt: shape.tokens,
  asReference,
  tensors: ['centroids', 'threshold', 'coarse_threshold', 'score', 'coarse_score'],
  async compare({ name, text, ops, method, parameters, tolerance, report, fail }) {
    const { tokens } = text;
    const started = await startTraceRun(text, method, parameters, tokens);
    const run = new SqueezedRun(methodContext(text, tokens), parameters, 0);
    await run.prepare(text.layerTraces);
    const close = (what: string, tensor: string, given: ArrayLike<number>): void => {
      if (!expected.has(`${name}.${tensor}`)) return;
      const wanted = expected.float32(`${name}.${tensor}`);
      if (given.length !== wanted.length) fail(`${tensor} has ${given.length} numbers, not ${wanted.length}`);
      const difference =
        largestMagnitude([wanted.map((value, i) => value - given[i]!)]) / largestMagnitude([wanted]);
      report(what, difference);
      if (!(difference <= tolerance)) fail(`${tensor} differs by ${difference}`);
    };
    close('threshold', 'threshold', [run.threshold(0, 'fine')]);
    const isCoarse = expected.has(`${name}.coarse_threshold`);
    if (isCoarse) close('threshold', 'coarse_threshold', [run.threshold(0, 'coarse')]);
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      close('centroids', `centroids.${layer}`, run.centroids(layer));
      const { value, owned } = run.lookUp(started.inputOf(recorded, started.blocks.at(-1)!));
      const read = async (rows: typeof value.fine): Promise<number[]> =>
        (await readScoreRows(ops, rows)).flatMap((row) => [...row]);
      close('score', `score.${layer}`, await read(value.fine));
      if (value.coarse) close('coarse score', `coarse_score.${layer}`, await read(value.coarse));
      ops.release(...owned);
    }
    run.dispose();
    started.dispose();
  },
};
