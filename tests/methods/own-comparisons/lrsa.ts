/** The mask of every query, which a model would be trained under: a bit for each cell. */
import { readKept, visibleTokens } from '../../../src/measure/selection-reader';
import { startTraceRun } from '../../../src/measure/trace-run';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

export const own: OwnComparison = {
  runs: 'lrsa_mask@',
  tensors: ['mask'],
  async compare({ name, ops, text, method, parameters, report, fail }) {
    const { tokens } = text;
    const words = Math.ceil(tokens / 32);
    const started = await startTraceRun(text, method, parameters, tokens);
    let differing = 0;
    for (const recorded of text.layerTraces) {
      const mask = expected.int32(`${name}.mask.${recorded.layer}`);
      for (const block of started.blocks) {
        const selection = started.run.select(started.inputOf(recorded, block));
        const kept = await readKept(ops, selection);
        ops.release(...selection.owned);
        kept.sets.forEach((_, set) => {
          for (let query = block.start; query < block.end; query++) {
            const seen = new Set(visibleTokens(kept, set, query + 1));
            for (let token = 0; token < tokens; token++) {
              const word = mask[(set * tokens + query) * words + (token >> 5)]!;
              if (((word >>> (token & 31)) & 1) !== Number(seen.has(token))) differing++;
            }
          }
        });
      }
    }
    started.dispose();
    report('cells of the mask', differing);
    if (differing > 0) fail(`${differing} cells of the mask are others`);
  },
};
