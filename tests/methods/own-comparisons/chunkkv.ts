/** The reference gives the base's scores of tokens by head; what chooses are their sums over heads, in means over chunks. */
import { readScoreRows } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { numberIn } from '../../../src/methods/parameters';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'chunkkv_snapkv@',
  tensors: ['score'],
  async compare({ name, ops, text, method, parameters, tolerance, report, fail }) {
    const { tokens } = text;
    const started = await startTraceRun(text, method, parameters, tokens);
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const chunkTokens = numberIn(parameters, 'chunkTokens', layer);
      const selection = started.run.select(started.inputOf(recorded, { start: tokens, end: tokens }));
      const [given] = await readScoreRows(ops, selection.score!.rows);
      const scores = expected.float32(`${name}.score.${layer}`);
      const heads = scores.length / tokens;
      const wanted = Array.from({ length: Math.ceil(tokens / chunkTokens) }, (_, chunk) => {
        const start = chunk * chunkTokens;
        const end = Math.min(tokens, start + chunkTokens);
        let sum = 0;
        for (let head = 0; head < heads; head++)
          for (let token = start; token < end; token++) sum += scores[head * tokens + token]!;
        return sum / (end - start);
      });
      const difference = Math.max(...wanted.map((score, chunk) => Math.abs(given![chunk]! - score) / score));
      report('score', difference);
      if (given!.length !== wanted.length || !(difference <= tolerance))
        fail(`the scores of chunks in layer ${layer} differ by ${difference}`);
    }
    await started.checkScores();
    started.dispose();
  },
};
