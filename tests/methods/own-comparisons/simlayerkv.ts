/** Which layers are lazy, and what their last query gives both ends of the text. */
import { readKept, readScoreRows } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { numberIn } from '../../../src/methods/parameters';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'simlayerkv@',
  tensors: ['lazy', 'lazyScore'],
  async compare({ name, ops, text, method, parameters, tolerance, report, fail }) {
    const { tokens } = text;
    const lazy = expected.int32(`${name}.lazy`);
    const shares = expected.float32(`${name}.lazyScore`);
    const started = await startTraceRun(text, method, parameters, tokens);
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const selection = started.run.select(started.inputOf(recorded, { start: tokens, end: tokens }));
      const { sets } = await readKept(ops, selection);
      if (sets[0]!.length < tokens !== (lazy[layer] === 1)) fail(`layer ${layer} keeps ${sets[0]!.length}`);
      const [given] = await readScoreRows(ops, selection.score!.rows);
      const before = given!.slice(0, tokens - numberIn(parameters, 'lastTokens', layer));
      const ends = [
        ...before.slice(0, numberIn(parameters, 'sinkTokens', layer)),
        ...before.slice(-numberIn(parameters, 'recentTokens', layer)),
      ];
      const share = ends.reduce((sum, value) => sum + value, 0);
      const difference = Math.abs(share - shares[layer]!) / shares[layer]!;
      report('share of both ends', difference);
      if (!(difference <= tolerance)) fail(`the share of layer ${layer} differs by ${difference}`);
    }
    const told = await started.run.lateNotices!();
    const percent = [...shares].map((share, layer) => `${layer}: ${(100 * share).toFixed(1)} %`).join(', ');
    if (!told.some((sentence) => sentence.includes(percent))) fail(`it tells ${told}, not ${percent}`);
    await started.checkScores();
    started.dispose();
  },
};
