/** Channels, no tokens: their scores, and which stay. */
import { sliceRows } from '../../../gpu/rows';
import { readLists, readScoreRows } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { numberIn } from '../../../src/methods/parameters';
import { channelsKept } from '../../../src/methods/think';
import { bestChannels, channelScores } from '../../../src/methods/think/channels';
import { compareChosen } from '../agreement';
import { expectedKept, expectedScores } from '../fixture';
import type { OwnComparison } from '../own-comparison';

const AFTER = 168;

export const own: OwnComparison = {
  runs: 'think@',
  tensors: ['channels', 'channels_after', 'score'],
  async compare({ name, ops, text, method, parameters, tolerance, report, fail }) {
    for (const tokens of [text.tokens, AFTER]) {
      const started = await startTraceRun(text, method, parameters, tokens);
      for (const recorded of text.layerTraces) {
        const { layer } = recorded;
        const input = started.inputOf(recorded, { start: tokens, end: tokens });
        const queries = input.queriesBefore(tokens)!;
        const window = numberIn(parameters, 'windowTokens', layer);
        const query = sliceRows(queries, queries.rows - window, window);
        const score = channelScores(ops, query, sliceRows(input.key, 0, tokens));
        const list = bestChannels(ops, score, channelsKept(parameters, layer, text.headDimension));
        const isLast = tokens === text.tokens;
        const [kept, scores] = [await readLists(ops, list), await readScoreRows(ops, score)];
        const tensor = isLast ? `channels.${layer}` : `channels_after_${AFTER}.${layer}`;
        const agreement = compareChosen(
          { kept: kept.map((set) => [...set]), scores },
          {
            kept: expectedKept(`${name}.${tensor}`),
            scores: isLast ? expectedScores(`${name}.score.${layer}`) : null,
          },
          { tolerance },
        );
        if (agreement.scores !== null) report('scores of channels', agreement.scores);
        fail(...agreement.faults.map((fault) => `${tensor}, ${fault}`));
        ops.release(score.buffer, list.buffer);
      }
      await started.checkScores();
      started.dispose();
    }
  },
};
