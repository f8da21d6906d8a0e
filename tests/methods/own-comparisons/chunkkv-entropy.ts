/** The reference's score is the token's own, summed over heads; here it orders tokens of one chunk, whose mean comes first. */
import { readScores } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'entropy_chunkkv_snapkv@',
  tensors: ['score'],
  breaksTies: true,
  async compare({ name, ops, text, method, parameters, tolerance, report, fail }) {
    const { tokens } = text;
    const started = await startTraceRun(text, method, parameters, tokens);
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const selection = started.run.select(started.inputOf(recorded, { start: tokens, end: tokens }));
      const [given] = (await readScores(ops, selection, tokens, 'secondary'))!;
      const wanted = expected.float32(`${name}.score.${layer}`);
      const difference = Math.max(
        ...[...wanted].map((score, token) => Math.abs(given![token]! - score) / score),
      );
      report('score', difference);
      if (!(difference <= tolerance)) fail(`the scores of tokens in layer ${layer} differ by ${difference}`);
    }
    await started.checkScores();
    started.dispose();
  },
};
