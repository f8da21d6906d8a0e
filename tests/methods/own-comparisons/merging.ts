/** Values of the survivors, which have those of the dropped tokens in them. */
import { startTraceRun } from '../../../src/measure/trace-run';
import { foldedValues } from '../../../src/methods/merging/run';
import { numberIn } from '../../../src/methods/parameters';
import { largestMagnitude } from '../agreement';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'merging_snapkv@',
  tensors: ['value'],
  async compare({ name, ops, text, method, parameters, tolerance, report, fail }) {
    const { tokens } = text;
    const started = await startTraceRun(text, method, parameters, tokens);
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const input = started.inputOf(recorded, { start: tokens, end: tokens });
      const { list } = started.run.select(input);
      const [similarity, mergeFraction] = ['similarity', 'mergeFraction'].map((parameter) =>
        numberIn(parameters, parameter, layer),
      ) as [number, number];
      const given = await foldedValues(ops, input, list!, { similarity, mergeFraction });
      const wanted = expected.float32(`${name}.value.${layer}`);
      const difference = largestMagnitude([given.map((value, i) => value - wanted[i]!)]);
      report('merged values', difference);
      if (given.length !== wanted.length || !(difference <= tolerance * largestMagnitude([wanted])))
        fail(`merged values of layer ${layer} differ by ${difference}`);
    }
    await started.checkScores();
    started.dispose();
  },
};
