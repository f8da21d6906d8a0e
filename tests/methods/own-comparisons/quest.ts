/** Pages of each of the last queries. */
import { readKept, readScoreRows } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { numberIn } from '../../../src/methods/parameters';
import { compareChosen } from '../agreement';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'quest@',
  tensors: ['pages'],
  async compare({ name, ops, text, method, parameters, tolerance, fail }) {
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const [sets, queries, count] = expected.shape(`${name}.pages.${layer}`);
      const pages = expected.int32(`${name}.pages.${layer}`);
      const pageTokens = numberIn(parameters, 'pageTokens', layer);
      const first = text.tokens - queries!;
      const started = await startTraceRun(text, method, parameters, first);
      for (const block of started.blocks) {
        const selection = started.run.select(started.inputOf(recorded, block));
        if (block.start >= first) {
          const { sets: kept } = await readKept(ops, selection);
          const scores = await readScoreRows(ops, selection.score!.rows);
          const chosen = kept.map((set) => [
            ...new Set([...set].map((token) => Math.floor(token / pageTokens))),
          ]);
          const wanted = Array.from({ length: sets! }, (_, set) => {
            const at = (set * queries! + block.start - first) * count!;
            return [...pages.subarray(at, at + count!)].sort((a, b) => a - b);
          });
          fail(
            ...compareChosen({ kept: chosen, scores }, { kept: wanted, scores: null }, { tolerance }).faults,
          );
        }
        ops.release(...selection.owned);
        await ops.pace();
      }
      await started.checkScores();
      started.dispose();
    }
  },
};
