/** Blocks of memory that every step sees, and what stands for them after the last. */
import { readKept } from '../../../src/measure/selection-reader';
import { methodContext, startTraceRun } from '../../../src/measure/trace-run';
import type { InfLlmRun } from '../../../src/methods/infllm/run';
import { lengthsIn, memoryOf } from '../../../src/methods/infllm/schema';
import { largestMagnitude } from '../agreement';
import { expected, runs } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'infllm@',
  tensors: ['steps', 'blocks', 'representatives'],
  async compare({ name, ops, text, method, parameters, tolerance, report, fail }) {
    const prefill = runs[name]!.prefillTokens!;
    const read = { ...text, answerStart: prefill };
    const representatives: { readonly given: Float32Array; readonly wanted: Float32Array }[] = [];
    for (const recorded of text.layerTraces) {
      const { layer } = recorded;
      const started = await startTraceRun(read, method, parameters, prefill);
      const run = method.start(methodContext(read, prefill), parameters) as InfLlmRun;
      const steps = started.blocks.flatMap(({ start, end }) => [start, end]);
      if (String(steps) !== String([...expected.int32(`${name}.steps`)])) fail(`reads the steps ${steps}`);
      const lengths = lengthsIn(parameters, layer);
      const [, count] = expected.shape(`${name}.blocks.${layer}`);
      const wanted = expected.int32(`${name}.blocks.${layer}`);
      for (const [step, block] of started.blocks.entries()) {
        const input = started.inputOf(recorded, block);
        const selection = run.select(input);
        const { initEnd, blocks } = memoryOf(lengths, block.start);
        const { sets } = await readKept(ops, selection);
        const all = Array.from({ length: blocks }, (_, b) => b);
        const isSeen = (b: number): boolean => sets[0]!.includes(initEnd + b * lengths.blockTokens);
        const chosen = selection.list ? all.filter(isSeen) : all;
        const reference = [...wanted.subarray(step * count!, (step + 1) * count!)].filter((b) => b >= 0);
        if (String(chosen) !== String(reference))
          fail(`step ${step} of layer ${layer} sees the blocks ${chosen}, not ${reference}`);
        run.attended(input, selection, null);
        ops.release(...selection.owned);
      }
      const [blocks] = expected.shape(`${name}.representatives.${layer}`);
      representatives.push({
        given: await ops.readFloats(
          run.representatives(layer, blocks!).buffer,
          0,
          blocks! * text.queryHeads * text.headDimension,
        ),
        wanted: expected.float32(`${name}.representatives.${layer}`),
      });
      run.dispose();
      started.dispose();
    }
    for (const [layer, { given, wanted }] of representatives.entries()) {
      const difference =
        largestMagnitude([wanted.map((value, i) => value - given[i]!)]) / largestMagnitude([wanted]);
      report('representatives', difference);
      if (!(difference <= tolerance)) fail(`representatives.${layer} differs by ${difference}`);
    }
  },
};
