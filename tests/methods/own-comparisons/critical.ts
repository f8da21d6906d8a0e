/**
 * Two stages: what the first keeps stays whatever the scores of the second, which the reference has for all tokens. The first stage is
 * compared where the reference has it, and left out of the comparison of the second.
 */
import { Scratch } from '../../../gpu/scratch';
import { readKept, readLists, readScoreRows } from '../../../src/measure/selection-reader';
import { methodContext, startTraceRun } from '../../../src/measure/trace-run';
import { firstStageCount, firstStageSize } from '../../../src/methods/criticalkv';
import { criticalScorer, firstStage } from '../../../src/methods/criticalkv/critical-scores';
import { numberIn } from '../../../src/methods/parameters';
import { observationWindowAsKvpress } from '../../../src/methods/scorers/observation-window';
import { compareChosen } from '../agreement';
import { expected, expectedKept, expectedScores, fixtureText } from '../fixture';
import type { OwnComparison } from '../own-comparison';

const AFTER = 168;

export const own: OwnComparison = {
  runs: 'critical',
  tensors: ['kept', 'kept_after', 'forced', 'score'],
  async compare({ name, ops, text: whole, method, parameters, tolerance, report, fail }) {
    const isAda = method.id === 'critical-adakv';
    const scorer = criticalScorer(method.id, observationWindowAsKvpress, firstStageSize);
    for (const tokens of [whole.tokens, AFTER]) {
      const text = tokens === whole.tokens ? whole : fixtureText(ops, tokens);
      const context = methodContext(text, tokens);
      const started = await startTraceRun(text, method, parameters, tokens);
      const isWhole = tokens === whole.tokens;
      for (const recorded of text.layerTraces) {
        const { layer } = recorded;
        const input = started.inputOf(recorded, { start: tokens, end: tokens });
        const selection = started.run.select(input);
        const { sets } = await readKept(ops, selection);
        const scores = await readScoreRows(ops, selection.score!.rows);
        const wanted = expectedKept(`${name}.${isWhole ? 'kept' : `kept_after_${AFTER}`}.${layer}`);
        // The first stage, by the other method's scores.
        const made = scorer.score(context, parameters, input, tokens, null);
        const base = await readScoreRows(ops, made.base.score);
        const count = Math.max(1, Math.floor(numberIn(parameters, 'keepFraction', layer) * tokens));
        const scratch = new Scratch(ops);
        const forced = await Promise.all(
          wanted.map(async (set, head) => {
            const share = isAda
              ? Math.max(
                  Math.floor(numberIn(parameters, 'floorFraction', layer) * count),
                  Math.floor(numberIn(parameters, 'firstStage', layer) * set.length),
                )
              : firstStageCount(parameters, layer, tokens, count);
            const list = firstStage(ops, made, share);
            scratch.keep(list.buffer);
            return [...(await readLists(ops, list))[head]!];
          }),
        );
        scratch.release();
        made.release();
        if (expected.has(`${name}.forced.${layer}`) && isWhole) {
          const first = compareChosen(
            { kept: forced, scores: base },
            { kept: expectedKept(`${name}.forced.${layer}`), scores: null },
            { tolerance },
          );
          fail(...first.faults.map((fault) => `forced.${layer}, ${fault}`));
        }
        forced.forEach((tokensOfHead, head) => {
          const missing = tokensOfHead.filter((token) => !sets[head]!.includes(token));
          if (missing.length > 0) fail(`layer ${layer}, set ${head} lacks ${missing} of its first stage`);
        });
        const isOpen = (head: number) => (token: number) => !forced[head]!.includes(token);
        const open = (rows: readonly ArrayLike<number>[]) =>
          rows.map((row, head) => Array.from(row).filter(isOpen(head)));
        const second = (rows: readonly Float32Array[]) =>
          rows.map((row, head) => row.map((score, token) => (isOpen(head)(token) ? score : Number.NaN)));
        const agreement = compareChosen(
          { kept: open(sets), scores: second(scores) },
          {
            kept: open(wanted),
            scores: isWhole ? second(expectedScores(`${name}.score.${layer}`)) : null,
          },
          { tolerance },
        );
        if (agreement.scores !== null) report('scores of the second stage', agreement.scores);
        fail(...agreement.faults.map((fault) => `kept.${layer} of ${tokens}, ${fault}`));
      }
      await started.checkScores();
      started.dispose();
    }
  },
};
