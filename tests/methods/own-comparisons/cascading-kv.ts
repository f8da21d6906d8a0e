/**
 * Cascading KV Cache drops while it reads, wherever the queries begin, and so shows on one way through the text what is kept after any
 * part of it. Its sub-caches are what is kept, which is compared as of any method, in pieces: how many tokens each has is known without
 * scores.
 */
import { readKept, visibleTokens } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { Filling } from '../../../src/methods/cascading-kv/filling';
import { shapeIn } from '../../../src/methods/cascading-kv/schema';
import { expected, expectedKept, shape, tensorsOf } from '../fixture';
import type { OwnComparison, RunFixture } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'cascading@',
  evictAt: shape.tokens,
  tensors: ['cascades', 'kept_after'],
  async compare(fixture) {
    compareCascades(fixture);
    await comparePrefixes(fixture);
  },
};

function compareCascades({ name, text, parameters, fail }: RunFixture): void {
  for (const { layer } of text.layerTraces) {
    const { sinkTokens, every, cascadeTokens } = shapeIn(parameters, layer);
    const counts = new Filling(shapeIn(parameters, layer)).countsAfter(text.tokens);
    const wanted = expected.int32(`${name}.cascades.${layer}`);
    const slots = every.length * cascadeTokens;
    for (const [set, kept] of expectedKept(`${name}.kept.${layer}`).entries()) {
      // In the order of the text the last sub-cache comes first.
      let end = kept.length;
      const given = counts.flatMap((count) => {
        const held = kept.slice(Math.max(sinkTokens, end - count), end);
        end -= count;
        return [...held, ...new Array<number>(cascadeTokens - held.length).fill(-1)];
      });
      const reference = [...wanted.subarray(set * slots, (set + 1) * slots)];
      if (end !== sinkTokens || String(given) !== String(reference))
        fail(`sub-caches of layer ${layer}, head ${set} hold ${given}, not ${reference}`);
    }
  }
}

async function comparePrefixes({ name, ops, text, method, parameters, fail }: RunFixture): Promise<void> {
  const { tokens } = text;
  const names = tensorsOf(name).flatMap((tensor) => (tensor.kind === 'kept_after' ? [tensor.name] : []));
  const layers = new Set(names.map((tensor) => Number(tensor.split('.')[1])));
  const started = await startTraceRun(text, method, parameters, tokens);
  for (const recorded of text.layerTraces.filter(({ layer }) => layers.has(layer))) {
    const compared: string[] = [];
    for (const block of [...started.blocks, { start: tokens, end: tokens }]) {
      const input = started.inputOf(recorded, block);
      const selection = started.run.select(input);
      const tensor = `kept_after_${block.start}.${recorded.layer}`;
      if (names.includes(tensor)) {
        compared.push(tensor);
        const kept = await readKept(ops, selection, text.keyValueHeads);
        const given = kept.sets.map((_, set) => String([...visibleTokens(kept, set, block.start)]));
        const wanted = expectedKept(`${name}.${tensor}`).map(String);
        if (String(given) !== String(wanted)) fail(`${tensor} is ${given}, not ${wanted}`);
      }
      started.run.attended!(input, selection, null);
      ops.release(...selection.owned);
    }
    const missing = names.filter(
      (tensor) => tensor.endsWith(`.${recorded.layer}`) && !compared.includes(tensor),
    );
    if (missing.length > 0) fail(`no block begins where ${missing} would be compared`);
  }
  started.dispose();
}
