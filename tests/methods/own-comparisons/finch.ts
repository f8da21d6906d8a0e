/** Kept keys turned to their places in the cache. */
import { headMajorRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { methodContext, startTraceRun } from '../../../src/measure/trace-run';
import { inCachePlaces } from '../../../src/methods/cache-positions';
import { choiceOf } from '../../../src/methods/parameters';
import { largestMagnitude } from '../agreement';
import { expected } from '../fixture';
import type { OwnComparison } from '../own-comparison';

/** The reference turns turned keys back by rotary tables in float32: it is 1e-5 from a turn in double precision. */
const MOST = 2e-5;

export const own: OwnComparison = {
  runs: 'finch@',
  tensors: ['key'],
  async compare({ name, ops, text, method, parameters, report, fail }) {
    if (choiceOf(parameters, 'positions') !== 'cache') return;
    const { tokens } = text;
    const started = await startTraceRun(text, method, parameters, tokens);
    for (const recorded of text.layerTraces) {
      const input = started.inputOf(recorded, { start: tokens, end: tokens });
      const selection = started.run.select(input);
      const scratch = new Scratch(ops);
      const { key } = inCachePlaces(methodContext(text, tokens), scratch, input, selection);
      const dense = scratch.rows(key.heads, key.rows, key.channels, 'keys in the cache');
      ops.copyRows({ input: key, out: headMajorRows(dense.buffer, key.heads, key.rows, key.channels) });
      const given = await ops.readFloats(dense.buffer);
      scratch.release();
      const wanted = expected.float32(`${name}.key.${recorded.layer}`);
      const difference = largestMagnitude([wanted.map((value, i) => value - given[i]!)]);
      report('keys', difference);
      if (given.length !== wanted.length || !(difference <= MOST))
        fail(`the keys of layer ${recorded.layer} differ by ${difference}`);
    }
    await started.checkScores();
    started.dispose();
  },
};
