/** Columns, diagonals, blocks and what the search found, by their own scores; what queries see follows from them. */
import { readLists, readScoreRows } from '../../../src/measure/selection-reader';
import { methodContext, startTraceRun } from '../../../src/measure/trace-run';
import { blockScores } from '../../../src/methods/minference/block-scores';
import { lastQueryScores } from '../../../src/methods/minference/last-queries';
import { LayerPatterns } from '../../../src/methods/minference/layer-patterns';
import { isSearched, looksIn, patternIn } from '../../../src/methods/minference/schema';
import { promptOf } from '../../../src/methods/prompt';
import { type Chosen, compareChosen } from '../agreement';
import { expected, expectedKept, expectedScores } from '../fixture';
import type { OwnComparison, RunFixture } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'minference_',
  tensors: ['score', 'slash_score', 'columns', 'offsets', 'blocks', 'choice'],
  async compare(fixture) {
    if (isSearched(fixture.parameters)) await compareSearch(fixture);
    else await comparePatterns(fixture);
  },
};

async function compareSearch({ name, text, method, parameters, tolerance, report, fail }: RunFixture) {
  const started = await startTraceRun(text, method, parameters, text.tokens);
  for (const { layer } of text.layerTraces) {
    const { heads } = started.run.patterns!(layer);
    const masses = expectedScores(`${name}.score.${layer}`);
    const choices = expected.int32(`${name}.choice.${layer}`);
    for (const [head, { chosen, masses: given }] of heads.entries()) {
      if (chosen !== choices[head])
        fail(`layer ${layer}, head ${head} has candidate ${chosen}, not ${choices[head]}`);
      const worst = Math.max(...given.map((mass, at) => Math.abs(mass - masses[head]![at]!)));
      report('mass of candidates', worst);
      if (!(worst <= tolerance)) fail(`score.${layer}, head ${head} differs by ${worst}`);
    }
  }
  started.dispose();
}

async function comparePatterns({ name, ops, text, parameters, tolerance, report, fail }: RunFixture) {
  const { tokens, queryHeads: heads } = text;
  const context = methodContext(text, tokens);
  for (const { layer, query, key, value } of text.layerTraces) {
    const prompt = promptOf({ query, key, value }, tokens)!;
    const pattern = patternIn(parameters, layer);
    const looks = looksIn(parameters, layer);
    const patterns = new LayerPatterns(context, layer, prompt, new Array(heads).fill(pattern), looks);
    const compare = (
      what: string,
      actual: Chosen,
      wanted: Chosen,
      candidates?: { start: number; end: number },
    ) => {
      const { scores, faults } = compareChosen(actual, wanted, {
        tolerance,
        ...(candidates && { candidates }),
      });
      if (scores !== null) report('scores', scores);
      fail(...faults.map((fault) => `${what}.${layer}, ${fault}`));
    };
    if (pattern.kind === 'vertical-slash') {
      const { columns, diagonals } = patterns.lists;
      const sums = lastQueryScores(context, prompt, looks.lastQueries);
      const kept = (await readLists(ops, columns)).map((list) => [...list]);
      const wanted = {
        kept: expectedKept(`${name}.columns.${layer}`),
        scores: expectedScores(`${name}.score.${layer}`),
      };
      const vertical = await readScoreRows(ops, sums.vertical);
      compare('columns', { kept, scores: vertical }, wanted, { start: looks.forcedColumns, end: tokens });
      const offsets = (await readLists(ops, diagonals)).map((list) =>
        [...list].map((t) => tokens - 1 - t).reverse(),
      );
      const slash = (await readScoreRows(ops, sums.slash)).map((row) => row.slice().reverse());
      const reference = {
        kept: expectedKept(`${name}.offsets.${layer}`),
        scores: expectedScores(`${name}.slash_score.${layer}`),
      };
      compare('offsets', { kept: offsets, scores: slash }, reference, {
        start: looks.forcedDiagonals,
        end: tokens,
      });
      sums.release();
    } else if (pattern.kind === 'block-sparse') {
      const rows = Math.ceil(tokens / pattern.blockTokens);
      const lists = await readLists(ops, patterns.blockLists(prompt, 0));
      const [, blockRows, most] = expected.shape(`${name}.blocks.${layer}`);
      const blocks = expected.int32(`${name}.blocks.${layer}`);
      const { score, buffer } = blockScores(ops, prompt, pattern.blockTokens, rows - 1);
      const last = await readScoreRows(ops, score);
      // The code has a block of padding more, which no query is in and no other sees.
      const wantedScores = expectedScores(`${name}.score.${layer}`).map((row) => row.slice(0, rows));
      for (let row = 0; row < rows; row++) {
        const kept = lists.slice(row * heads, (row + 1) * heads).map((list) => [...list]);
        const wanted = Array.from({ length: heads }, (_, head) => {
          const at = (head * blockRows! + row) * most!;
          return [...blocks.subarray(at, at + most!)].filter((block) => block >= 0);
        });
        const isLast = row === rows - 1;
        compare(
          `row ${row} of blocks`,
          { kept, scores: isLast ? last : null },
          { kept: wanted, scores: isLast ? wantedScores : null },
        );
      }
      ops.release(buffer);
    }
    patterns.release();
  }
}
